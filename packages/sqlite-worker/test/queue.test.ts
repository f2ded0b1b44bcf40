import Database from 'better-sqlite3'
import { eventually } from '@outrider/test-kit'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createQueue } from '../src/queue/index.ts'
import { gate, openWorker, temporaryFile } from './fixture.ts'
import { openQueue } from './fixtures/queue-fixture.ts'

describe('add', () => {
  it('resolves once the job is committed', async () => {
    const file = temporaryFile()
    const { queue } = openQueue({ file })
    const { id, deduplicated } = await queue.add(
      'work',
      { n: 1 },
      { priority: 3, group: 'g', maxAttempts: 2 },
    )
    const other = new Database(file, { readonly: true })
    expect(other.prepare('SELECT task, payload FROM outrider_queue_jobs WHERE id = ?').get(id)).toEqual({
      task: 'work',
      payload: '{"n":1}',
    })
    other.close()
    expect(deduplicated).toBe(false)
    expect(await queue.get(id)).toMatchObject({
      id,
      task: 'work',
      state: 'pending',
      payload: { n: 1 },
      priority: 3,
      group: 'g',
      attempts: 0,
      maxAttempts: 2,
      runAt: undefined,
      startedAt: undefined,
      endedAt: undefined,
      error: undefined,
    })
  })

  it('gives each of many concurrent jobs the id under which it is stored', async () => {
    const { queue } = openQueue()
    const added = await Promise.all(Array.from({ length: 2500 }, (_, n) => queue.add('work', n)))
    expect(new Set(added.map(({ id }) => id)).size).toBe(2500)
    for (const n of [0, 1, 999, 1000, 1001, 2499]) {
      expect(await queue.get(added[n]?.id ?? 0)).toMatchObject({ payload: n })
    }
  })

  it('keeps payloads as they are, also none and text that looks like JSON', async () => {
    const { queue } = openQueue()
    const payloads = [undefined, null, 0, '', '{"a":1}', 'null', { deep: [1, 'ä\u2028"\\'] }, 1e300, '\u0000']
    const ids = await queue.addMany('work', payloads)
    const single = await Promise.all(payloads.map((payload) => queue.add('work', payload)))
    const mixed = await Promise.all(
      payloads.map((payload, i) =>
        queue.add('work', payload, { priority: i, group: `g${i}`, maxAttempts: i + 1 }),
      ),
    )
    expect(await queue.get(mixed[4]?.id ?? 0)).toMatchObject({ priority: 4, group: 'g4', maxAttempts: 5 })
    const seen = new Map<number, unknown>()
    queue.work({ work: (payload, ctx) => void seen.set(ctx.id, payload) })
    await queue.drain()
    for (const [i, payload] of payloads.entries()) {
      expect(seen.get(ids[i] ?? 0)).toEqual(payload)
      expect(seen.get(single[i]?.id ?? 0)).toEqual(payload)
      expect(seen.get(mixed[i]?.id ?? 0)).toEqual(payload)
    }
  })

  it('never gives an id twice, also after jobs were removed', async () => {
    const { queue } = openQueue()
    const first = await queue.add('work', 1)
    expect(await queue.remove(first.id)).toBe(true)
    expect(await queue.remove(first.id)).toBe(false)
    expect((await queue.add('work', 1)).id).toBeGreaterThan(first.id)
  })

  it('adds many all or nothing', async () => {
    const { queue } = openQueue()
    await expect(queue.addMany('work', [1, 2n])).rejects.toMatchObject({ code: 'ERR_VALUE' })
    expect(await queue.addMany('work', [])).toEqual([])
    expect(await queue.counts()).toMatchObject({ pending: 0 })
    expect(await queue.addMany('work', [1, 2], { delayMs: 60_000 })).toHaveLength(2)
    expect(await queue.counts()).toMatchObject({ pending: 0, delayed: 2 })
  })

  it('refuses what cannot be done', async () => {
    const { queue } = openQueue()
    const circular: Record<string, unknown> = {}
    circular.self = circular
    await expect(queue.add('work', circular)).rejects.toMatchObject({ code: 'ERR_VALUE' })
    await expect(queue.add('work', () => 1)).rejects.toMatchObject({ code: 'ERR_VALUE' })
    await expect(queue.add('' as 'work', 1)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    for (const options of [
      { priority: 1.5 },
      { priority: 2 ** 31 },
      { delayMs: -1 },
      { delayMs: Infinity },
      { runAt: new Date(Number.NaN) },
      { delayMs: 1, runAt: 1 },
      { dedupeKey: '' },
      { dedupeForMs: 5 },
      { group: '' },
      { maxAttempts: 0 },
      { tx: {} as never },
    ]) {
      await expect(queue.add('work', 1, options)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
    }
    await expect(queue.add('work', 1, { priorty: 1 } as object)).rejects.toThrow('did you mean "priority"?')
    await expect(queue.addMany('work', [1], { dedupeKey: 'x' } as object)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    })
  })
})

describe('createQueue', () => {
  it('refuses bad options, no worker, and the inside of a transaction', async () => {
    const worker = openWorker()
    for (const options of [
      { name: '' },
      { tasks: { work: {} } },
      { maxAttempts: 0 },
      { retention: { completed: { ageMs: -1 } } },
      { retention: { dead: { count: 1.5 } } },
      { now: 5 },
      { nam: 'x' },
    ]) {
      expect(() => createQueue(worker, options as object)).toThrow(TypeError)
    }
    expect(() => createQueue({} as never)).toThrow('Expected a SqliteWorker')
    await worker.transaction(() => {
      expect(() => createQueue(worker)).toThrow('outside of transactions')
    })
  })

  it('keeps queues of different names in one file apart', async () => {
    const worker = openWorker()
    const a = openQueue({ worker, name: 'a' }).queue
    const b = openQueue({ worker, name: "b'; --" }).queue
    const { id } = await a.add('work', 1, { dedupeKey: 'k' })
    expect((await b.add('work', 2, { dedupeKey: 'k' })).deduplicated).toBe(false)
    expect(await b.get(id)).toBeUndefined()
    const seen: unknown[] = []
    b.work({ work: (payload) => void seen.push(payload) })
    await b.drain()
    expect(seen).toEqual([2])
    expect(await a.counts()).toMatchObject({ pending: 1 })
  })

  it('refuses tables of a newer version, and changes nothing', async () => {
    const { worker, queue } = openQueue()
    await queue.counts()
    await worker.execute('UPDATE outrider_queue_version SET version = 2')
    const newer = createQueue(worker)
    await expect(newer.add('work', 1)).rejects.toMatchObject({
      code: 'ERR_QUEUE_VERSION',
      found: 2,
      supported: 1,
    })
    await expect(newer.counts()).rejects.toMatchObject({ code: 'ERR_QUEUE_VERSION' })
    await worker.execute('UPDATE outrider_queue_version SET version = 1')
    await newer.add('work', 1) // asked again, it looks again
  })
})

describe('schemas', () => {
  const tasks = {
    mail: z.object({ to: z.string(), copies: z.coerce.number().default(1) }),
    late: {
      '~standard': { version: 1, vendor: 'test', validate: async (value: unknown) => late(value) },
    } as const,
  }
  const late = (value: unknown) =>
    value === 'good' ? { value: 'better' } : { issues: [{ message: 'not good', path: [{ key: 'x' }, 0] }] }

  it('check a payload when it is added', async () => {
    const queue = createQueue(openWorker(), { tasks })
    await expect(queue.add('mail', { to: 5 } as never)).rejects.toMatchObject({
      code: 'ERR_JOB_PAYLOAD',
      task: 'mail',
      message: 'The payload does not fit the schema of task "mail" at to',
    })
    await expect(queue.add('late', 'bad')).rejects.toThrow('at x.0')
    await expect(queue.addMany('late', ['good', 'bad'])).rejects.toMatchObject({ code: 'ERR_JOB_PAYLOAD' })
    await expect(queue.add('nosuch' as 'mail', { to: 'a' })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    })
    expect(() => queue.work({ nosuch: () => {} } as never)).toThrow('has none called "nosuch"')
    expect(await queue.counts()).toMatchObject({ pending: 0 })
    await queue.close()
  })

  it('give the handler their output, and each attempt gets the same', async () => {
    const queue = createQueue(openWorker(), { tasks })
    const seen: unknown[] = []
    queue.work(
      {
        mail: ({ to, copies }, { attempt }) => {
          seen.push([to, copies])
          if (attempt === 1) throw new Error('again')
        },
        late: (payload) => void seen.push(payload),
      },
      { backoff: () => 0 },
    )
    const mail = await queue.add('mail', { to: 'a', copies: '2' })
    await queue.waitFor(mail.id)
    const { id } = await queue.add('late', 'good')
    await queue.waitFor(id)
    expect(seen).toEqual([['a', 2], ['a', 2], 'better'])
    await queue.close()
  })

  it('make a stored payload that does not fit dead at once, and the others go on', async () => {
    const worker = openWorker()
    const loose = createQueue(worker)
    const bad = await loose.add('mail', { to: 5 })
    const worse = await loose.add('mail', { to: 'x' })
    const badLate = await loose.add('late', 'bad')
    await worker.execute('UPDATE outrider_queue_jobs SET payload = ? WHERE id = ?', ['{', worse.id])
    const queue = createQueue(worker, { tasks })
    const good = await queue.add('mail', { to: 'a' })
    const ran: number[] = []
    const handler = (_: unknown, { id }: { id: number }) => void ran.push(id)
    queue.work({ mail: handler, late: handler })
    await queue.drain({ delayed: true })
    expect(ran).toEqual([good.id])
    expect(await queue.get(bad.id)).toMatchObject({
      state: 'dead',
      attempts: 1,
      error: { name: 'PayloadError' },
    })
    expect(await queue.get(badLate.id)).toMatchObject({ state: 'dead', attempts: 1 })
    expect(await queue.get(worse.id)).toMatchObject({ state: 'dead', error: { name: 'SyntaxError' } })
    await Promise.all([queue.close(), loose.close()])
  })
})

describe('order and time', () => {
  it('runs higher priorities first, and equal ones in the order of their addition', async () => {
    const { queue } = openQueue()
    const payloads = [0, 5, -5, 5, 0, 2147483647]
    for (const [i, priority] of payloads.entries()) {
      await queue.add(i % 2 === 0 ? 'work' : 'other', [priority, i], { priority })
    }
    const seen: unknown[] = []
    const handler = (payload: unknown) => void seen.push(payload)
    queue.work({ work: handler, other: handler }, { concurrency: 1 })
    await queue.drain()
    expect(seen).toEqual([
      [2147483647, 5],
      [5, 1],
      [5, 3],
      [0, 0],
      [0, 4],
      [-5, 2],
    ])
  })

  it('runs a delayed job when it is due, and not before', async () => {
    const { queue } = openQueue()
    const order: [unknown, number][] = []
    queue.work({ work: (payload) => void order.push([payload, Date.now()]) }, { pollIntervalMs: 60_000 })
    await queue.add('work', 'warm up')
    await queue.drain()
    order.length = 0
    const began = Date.now()
    await queue.add('work', 'later', { delayMs: 120 })
    await queue.add('work', 'sooner', { runAt: new Date(began + 60) })
    await queue.add('work', 'now', { runAt: began - 1000 })
    await queue.drain({ delayed: true })
    const [now, sooner, later] = order
    expect(order.map(([what]) => what)).toEqual(['now', 'sooner', 'later'])
    expect(now?.[1]).toBeGreaterThanOrEqual(began)
    expect(sooner?.[1]).toBeGreaterThanOrEqual(began + 60)
    expect(later?.[1]).toBeGreaterThanOrEqual(began + 120)
  })

  it('takes only the tasks that have a handler, however many others are waiting', async () => {
    const { queue } = openQueue()
    await queue.addMany('other', [1, 2, 3], { priority: 9 })
    const { id } = await queue.add('work', 4)
    queue.work({ work: (payload) => payload })
    expect(await queue.waitFor(id)).toBe(4)
    expect(await queue.counts()).toMatchObject({ pending: 3, completed: 1 })
  })

  it('wakes at once for a job of this process, of another object too', async () => {
    const { queue, worker } = openQueue()
    queue.work({ work: () => 'done' }, { pollIntervalMs: 2 ** 30 })
    await queue.add('work', 1)
    await queue.drain()
    const second = createQueue(worker)
    for (let i = 0; i < 20; i++) {
      const { id } = await second.add('work', i)
      expect(await second.waitFor(id)).toBe('done')
    }
    await second.close()
  })

  it('finds jobs of other connections by looking', async () => {
    const file = temporaryFile()
    const { queue } = openQueue({ file })
    queue.work({ work: () => 'done' }, { pollIntervalMs: 5 })
    await queue.counts()
    const elsewhere = openQueue({ file }).queue
    const { id } = await elsewhere.add('work', 1)
    expect(await elsewhere.waitFor(id)).toBe('done')
  })
})

describe('dedupeKey', () => {
  it('adds one job only while one of its key is unfinished', async () => {
    const { queue } = openQueue()
    const added = await Promise.all([1, 2, 3].map((n) => queue.add('work', n, { dedupeKey: 'k' })))
    expect(added.map(({ deduplicated }) => deduplicated)).toEqual([false, true, true])
    expect(new Set(added.map(({ id }) => id)).size).toBe(1)
    const running = gate()
    const end = gate()
    queue.work({
      work: async () => {
        running.open()
        await end.opened
      },
    })
    await running.opened
    expect(await queue.add('work', 4, { dedupeKey: 'k' })).toMatchObject({ deduplicated: true })
    end.open()
    await queue.drain()
    expect(await queue.add('work', 5, { dedupeKey: 'k' })).toMatchObject({ deduplicated: false })
  })

  it('is kept for dedupeForMs after the addition, and no longer', async () => {
    let now = 1_000_000
    const { queue } = openQueue({ now: () => now })
    const options = { dedupeKey: 'k', dedupeForMs: 500 }
    const first = await queue.add('work', 1, options)
    queue.work({ work: () => {} })
    await queue.drain()
    now += 499
    expect(await queue.add('work', 2, options)).toEqual({ id: first.id, deduplicated: true })
    now += 1
    expect(await queue.add('work', 3, options)).toMatchObject({ deduplicated: false })
  })

  it('is free again when the job is dead or removed', async () => {
    const { queue } = openQueue()
    const add = () => queue.add('work', 1, { dedupeKey: 'k', maxAttempts: 1 })
    const first = await add()
    await queue.remove(first.id)
    const second = await add()
    expect(second.deduplicated).toBe(false)
    const consumer = queue.work({ work: () => Promise.reject(new Error('no')) })
    await expect(queue.waitFor(second.id)).rejects.toMatchObject({ code: 'ERR_JOB_DEAD' })
    await consumer.close()
    expect((await add()).deduplicated).toBe(false)
  })
})

describe('in a transaction', () => {
  it('a job is there after the commit, when its consumer is woken, and not before', async () => {
    const { queue, worker } = openQueue()
    const ran: unknown[] = []
    queue.work({ work: (payload) => void ran.push(payload) }, { pollIntervalMs: 2 ** 30 })
    await queue.add('work', 'warm up')
    await queue.drain()
    await worker.execute('CREATE TABLE users (name TEXT)')
    const { added, keyed } = await worker.transaction(async (tx) => {
      await tx.insert('users', { name: 'Ada' })
      const added = await queue.add('work', 'in', { tx })
      const keyed = await queue.add('work', 'keyed', { tx, dedupeKey: 'k' })
      await queue.addMany('work', ['many'], { tx })
      const ambient = await queue.add('work', 'ambient')
      expect(ambient.id).toBeGreaterThan(keyed.id)
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      expect(ran).toEqual(['warm up'])
      return { added, keyed }
    })
    await queue.waitFor(added.id)
    await queue.waitFor(keyed.id)
    await queue.drain()
    expect(ran).toEqual(['warm up', 'in', 'keyed', 'many', 'ambient'])
  })

  it('a job that is not awaited belongs to it too', async () => {
    const { queue, worker } = openQueue()
    await queue.counts()
    await worker.transaction((tx) => {
      void queue.add('work', 1, { tx })
    })
    expect(await queue.counts()).toMatchObject({ pending: 1 })
  })

  it('a job goes with the rollback', async () => {
    const { queue, worker } = openQueue()
    const ran: unknown[] = []
    queue.work({ work: (payload) => void ran.push(payload) })
    await queue.counts()
    const rolledBack = worker.transaction(async (tx) => {
      await queue.add('work', 'gone', { tx })
      await queue.add('work', 'gone too')
      throw new Error('rolled back')
    })
    await expect(rolledBack).rejects.toThrow('rolled back')
    await queue.add('work', 'stays')
    await queue.drain()
    expect(ran).toEqual(['stays'])
    expect(await queue.counts()).toMatchObject({ completed: 1, pending: 0 })
  })
})

describe('results', () => {
  it('are stored, and waited for by any process', async () => {
    const file = temporaryFile()
    const { queue } = openQueue({ file })
    queue.work({ work: async (payload) => ({ doubled: Number(payload) * 2 }), other: () => undefined })
    const { id } = await queue.add('work', 21)
    expect(await queue.waitFor(id)).toEqual({ doubled: 42 })
    expect(await queue.get(id)).toMatchObject({ state: 'completed', result: { doubled: 42 }, attempts: 1 })
    expect((await queue.get(id))?.endedAt).toBeInstanceOf(Date)
    expect(await openQueue({ file }).queue.waitFor(id)).toEqual({ doubled: 42 })
    const without = await queue.add('other', 1)
    expect(await queue.waitFor(without.id)).toBeUndefined()
  })

  it('that JSON cannot hold make the job dead', async () => {
    const { queue } = openQueue()
    queue.work({ work: () => 1n })
    const { id } = await queue.add('work', 1)
    await expect(queue.waitFor(id)).rejects.toMatchObject({ code: 'ERR_JOB_DEAD', jobId: id })
  })

  it('are refused to those who wait in vain', async () => {
    const { queue } = openQueue()
    await expect(queue.waitFor(12345)).rejects.toMatchObject({ code: 'ERR_JOB_NOT_FOUND', jobId: 12345 })
    const { id } = await queue.add('work', 1)
    await expect(queue.waitFor(id, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'ERR_WAIT_TIMEOUT' })
    const controller = new AbortController()
    const waiting = queue.waitFor(id, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(queue.waitFor(id, { signal: controller.signal })).rejects.toThrow('enough')
    await expect(queue.waitFor(id, { timeoutMs: -1 })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
    const last = queue.waitFor(id)
    await eventually(async () => expect(await queue.counts()).toBeDefined())
    await queue.close()
    await expect(last).rejects.toMatchObject({ code: 'ERR_QUEUE_CLOSED' })
    await expect(queue.add('work', 1)).rejects.toMatchObject({ code: 'ERR_QUEUE_CLOSED' })
    expect(() => queue.work({ work: () => {} })).toThrow('This queue is closed')
  })
})

describe('retries', () => {
  it('try a failed job again until it succeeds, each time later', async () => {
    const { queue } = openQueue()
    const failures: unknown[] = []
    const delays: number[] = []
    queue.work(
      {
        work: (_, { attempt, maxAttempts }) =>
          attempt < 3 ? Promise.reject(new Error(`no ${attempt}`)) : maxAttempts,
      },
      {
        backoff: (attempt) => (delays.push(attempt), attempt * 5),
        onJobFailed: ({ attempt, dead }) => failures.push([attempt, dead]),
      },
    )
    const { id } = await queue.add('work', 1)
    expect(await queue.waitFor(id)).toBe(5)
    expect(await queue.get(id)).toMatchObject({ attempts: 3, error: { name: 'Error', message: 'no 2' } })
    expect({ failures, delays }).toEqual({
      failures: [
        [1, false],
        [2, false],
      ],
      delays: [1, 2],
    })
  })

  it('end: a job is dead after maxAttempts, and can be requeued', async () => {
    const { queue } = openQueue({ maxAttempts: 2 })
    let works = false
    const failures: unknown[] = []
    queue.work(
      { work: () => (works ? 'at last' : Promise.reject(new RangeError('no'))) },
      { backoff: { initialMs: 0 }, onJobFailed: ({ dead }) => failures.push(dead) },
    )
    const { id } = await queue.add('work', 1)
    await expect(queue.waitFor(id)).rejects.toMatchObject({
      code: 'ERR_JOB_DEAD',
      failure: { name: 'RangeError', message: 'no' },
    })
    expect(failures).toEqual([false, true])
    expect(await queue.dead.list()).toMatchObject([{ id, state: 'dead', attempts: 2 }])
    expect(await queue.dead.list({ task: 'other' })).toEqual([])
    works = true
    expect(await queue.dead.requeue(id)).toBe(1)
    expect(await queue.waitFor(id)).toBe('at last')
    expect(await queue.get(id)).toMatchObject({ attempts: 1 })
    expect(await queue.dead.requeue()).toBe(0)
  })

  it('do not come when shouldRetry says so', async () => {
    const { queue } = openQueue()
    queue.work(
      { work: () => Promise.reject('just text') },
      { shouldRetry: (error, attempt) => error !== 'just text' && attempt < 9 },
    )
    const { id } = await queue.add('work', 1)
    await expect(queue.waitFor(id)).rejects.toMatchObject({ failure: { message: 'just text' } })
  })

  it('survive hooks of the user that throw or return nonsense', async () => {
    const { queue, errors } = openQueue()
    queue.work(
      { work: (_, { attempt }) => (attempt === 1 ? Promise.reject(new Error('x')) : 'ok') },
      {
        shouldRetry: () => {
          throw new Error('mine')
        },
        backoff: () => Number.NaN,
      },
    )
    const { id } = await queue.add('work', 1)
    await eventually(async () => expect(await queue.get(id)).toMatchObject({ state: 'delayed' }))
    expect(errors.splice(0).map((error) => (error as Error).message)).toEqual([
      'mine',
      expect.stringContaining('Expected backoff to return'),
    ])
  })

  it('leave dead jobs to be removed by id or all together', async () => {
    const { queue } = openQueue({ maxAttempts: 1 })
    queue.work({ work: () => Promise.reject(new Error('no')) })
    const ids = await queue.addMany('work', [1, 2, 3])
    await queue.drain()
    expect((await queue.dead.list({ limit: 2 })).length).toBe(2)
    expect(await queue.dead.remove([ids[0] ?? 0, 99_999])).toBe(1)
    expect(await queue.dead.remove()).toBe(2)
    await expect(queue.dead.requeue('x' as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await expect(queue.dead.list({ limit: 0 })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })
})

describe('pause', () => {
  it('holds for all processes until resume, also over a restart', async () => {
    const file = temporaryFile()
    const before = openQueue({ file }).queue
    await before.pause()
    const { queue } = openQueue({ file })
    const ran: unknown[] = []
    queue.work({ work: (payload) => void ran.push(payload) }, { pollIntervalMs: 5 })
    await queue.add('work', 1)
    await expect(queue.drain({ timeoutMs: 60 })).rejects.toMatchObject({ code: 'ERR_WAIT_TIMEOUT' })
    expect([await queue.isPaused(), ran]).toEqual([true, []])
    await before.resume()
    await queue.drain()
    expect([await queue.isPaused(), ran]).toEqual([false, [1]])
  })
})

describe('drain', () => {
  it('waits for pending and running jobs, and for later ones when told to', async () => {
    const { queue } = openQueue()
    await queue.drain()
    const end = gate()
    queue.work({ work: () => end.opened })
    await queue.add('work', 1)
    await queue.add('other', 1, { delayMs: 60_000 })
    const controller = new AbortController()
    const aborted = queue.drain({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    const drained = queue.drain()
    end.open()
    await drained
    await expect(queue.drain({ delayed: true, timeoutMs: 20 })).rejects.toMatchObject({
      code: 'ERR_WAIT_TIMEOUT',
    })
  })
})

describe('retention', () => {
  it('removes completed jobs beyond their age and count, and keeps dead ones', async () => {
    let now = Date.now()
    const { queue } = openQueue({
      now: () => now,
      retention: { completed: { ageMs: 1000, count: 2 } },
      maxAttempts: 1,
    })
    queue.work(
      { work: () => {}, other: () => Promise.reject(new Error('no')) },
      { leaseMs: 50, concurrency: 1 },
    )
    await queue.addMany('work', [1, 2, 3, 4])
    await queue.add('other', 1)
    await queue.drain()
    await eventually(async () => expect(await queue.counts()).toMatchObject({ completed: 2, dead: 1 }))
    now += 1001
    await eventually(async () => expect(await queue.counts()).toMatchObject({ completed: 0, dead: 1 }))
  })
})
