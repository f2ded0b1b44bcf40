import Database from 'better-sqlite3'
import { AsyncLocalStorage } from 'node:async_hooks'
import { eventually } from '@outrider/test-kit'
import { describe, expect, it } from 'vitest'
import type { JobContext } from '../src/queue/index.ts'
import { gate, temporaryFile } from './fixture.ts'
import { openQueue } from './fixtures/queue-fixture.ts'

/** A handler that counts how many of it run at once, and lets each go on after some turns of the event loop. */
function counting(keyOf: (ctx: JobContext) => string = () => 'all') {
  const running = new Map<string, number>()
  const most = new Map<string, number>()
  const handler = async (_: unknown, ctx: JobContext) => {
    const key = keyOf(ctx)
    const now = (running.get(key) ?? 0) + 1
    running.set(key, now)
    most.set(key, Math.max(most.get(key) ?? 0, now))
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
    running.set(key, now - 1 < 0 ? 0 : (running.get(key) ?? 1) - 1)
  }
  return { handler, most }
}

describe('concurrency', () => {
  it('is what each consumer runs at most, and is used', async () => {
    const { queue } = openQueue()
    const { handler, most } = counting()
    queue.work({ work: handler }, { concurrency: 4 })
    await queue.addMany(
      'work',
      Array.from({ length: 40 }, (_, i) => i),
    )
    await queue.drain()
    expect(most.get('all')).toBe(4)
    expect(await queue.counts()).toMatchObject({ completed: 40 })
  })

  it('of a queue holds for all connections together', async () => {
    const file = temporaryFile()
    const { handler, most } = counting()
    const queues = [1, 2, 3].map(() => openQueue({ file }).queue)
    for (const queue of queues) {
      queue.work({ work: handler }, { concurrency: 5, queueConcurrency: 2, pollIntervalMs: 5 })
    }
    await queues[0]?.addMany(
      'work',
      Array.from({ length: 30 }, (_, i) => i),
    )
    await queues[0]?.drain()
    expect(most.get('all')).toBeLessThanOrEqual(2)
    expect(await queues[0]?.counts()).toMatchObject({ completed: 30, pending: 0 })
  })

  it('of a group holds for all connections, and other groups go on beside it', async () => {
    const file = temporaryFile()
    const { handler, most } = counting(({ group }) => group ?? 'none')
    const queues = [1, 2].map(() => openQueue({ file }).queue)
    const [queue] = queues
    if (!queue) return
    await queue.addMany(
      'work',
      Array.from({ length: 30 }, (_, i) => i),
      { group: 'a' },
    )
    await queue.addMany(
      'work',
      Array.from({ length: 10 }, (_, i) => i),
      { group: 'b' },
    )
    await queue.addMany(
      'work',
      Array.from({ length: 10 }, (_, i) => i),
    )
    const first: (string | undefined)[] = []
    for (const one of queues) {
      one.work(
        {
          work: (payload, ctx) => {
            first.push(ctx.group)
            return handler(payload, ctx)
          },
        },
        { concurrency: 8, groupConcurrency: 2, pollIntervalMs: 5 },
      )
    }
    await queue.drain()
    expect(most.get('a')).toBe(2)
    expect(most.get('b')).toBe(2)
    expect(new Set(first.slice(0, 16))).toEqual(new Set(['a', 'b', undefined])) // 30 of group a stand in nobody's way
    expect(await queue.counts()).toMatchObject({ completed: 50, pending: 0 })
  })

  it('of a group lets the next in when a job fails, dies or is removed', async () => {
    const { queue } = openQueue({ maxAttempts: 1 })
    const ran: unknown[] = []
    queue.work(
      {
        work: (payload) => {
          ran.push(payload)
          if (payload !== 3) throw new Error('no')
        },
      },
      { groupConcurrency: 1, pollIntervalMs: 2 ** 30 },
    )
    await queue.addMany('work', [1, 2, 3], { group: 'g' })
    await queue.drain()
    expect(ran).toEqual([1, 2, 3])
  })

  it('never claims more than it runs when something limits the queue', async () => {
    const { queue } = openQueue()
    const end = gate()
    queue.work({ work: () => end.opened }, { concurrency: 2, queueConcurrency: 100 })
    await queue.addMany('work', [1, 2, 3, 4])
    await eventually(async () => expect(await queue.counts()).toMatchObject({ running: 2, pending: 2 }))
    end.open()
  })
})

describe('jobs that were claimed ahead', () => {
  it('are given back when the handlers turn out to be slow', async () => {
    const { queue } = openQueue()
    const end = gate()
    queue.work({ work: () => {}, other: () => end.opened }, { concurrency: 2 })
    await queue.addMany(
      'work',
      Array.from({ length: 500 }, (_, i) => i),
    )
    await queue.drain()
    await queue.addMany(
      'other',
      Array.from({ length: 50 }, (_, i) => i),
    )
    await eventually(async () => expect(await queue.counts()).toMatchObject({ running: 2, pending: 48 }))
    expect(
      (await Promise.all([501, 502, 503, 550].map((id) => queue.get(id)))).map((job) => job?.attempts),
    ).toEqual([1, 1, 0, 0])
    end.open()
    await queue.drain()
  })
})

describe('a limit of groups', () => {
  it('that is raised later lets in what was parked', async () => {
    const { queue } = openQueue()
    const end = gate()
    const handlers = { work: () => end.opened }
    queue.work(handlers, { groupConcurrency: 1 })
    await queue.addMany('work', [1, 2, 3, 4, 5], { group: 'g' })
    await eventually(async () => expect(await queue.counts()).toMatchObject({ running: 1, pending: 4 }))
    queue.work(handlers, { groupConcurrency: 3 })
    await eventually(async () => expect(await queue.counts()).toMatchObject({ running: 3, pending: 2 }))
    end.open()
    await queue.drain()
  })

  it('leaves no group waiting in which nothing runs', async () => {
    const { queue, worker } = openQueue()
    const ran: unknown[] = []
    queue.work({ work: (payload) => void ran.push(payload) }, { groupConcurrency: 1, leaseMs: 50 })
    await queue.add('work', 'warm up')
    await queue.drain()
    await queue.pause()
    for (const group of ['a', 'b', 'c']) await queue.addMany('work', [1, 2], { group })
    await worker.execute('UPDATE outrider_queue_jobs SET state = 3 WHERE state = 0')
    await queue.resume()
    await queue.drain()
    expect(ran).toHaveLength(7)
  })
})

describe("the seed's example of a queue", () => {
  it('hands one task to two workers and loses those of a dead one; this one does neither', async () => {
    const file = temporaryFile()
    const { queue, worker } = openQueue({ file })
    // the example: select what is pending, do it, mark it as completed
    await worker.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, status TEXT DEFAULT 'pending')")
    await worker.execute('INSERT INTO tasks (id) VALUES (1)')
    const select = () => worker.select('tasks', { conditions: { status: 'pending' }, limit: 10 })
    expect(await Promise.all([select(), select()])).toEqual([
      [{ id: 1, status: 'pending' }],
      [{ id: 1, status: 'pending' }],
    ])

    const runs: number[] = []
    const ids = await queue.addMany(
      'work',
      Array.from({ length: 200 }, (_, i) => i),
    )
    const dying = openQueue({ file })
    dying.queue.work({ work: () => new Promise(() => {}) }, { leaseMs: 100, concurrency: 20 })
    await eventually(async () => expect(await queue.counts()).toMatchObject({ running: 20 }))
    await dying.worker.close() // as a process that ends in the middle of its work
    for (const concurrency of [3, 5]) {
      const { queue: other } = openQueue({ file })
      other.work(
        { work: (_, { id }) => void runs.push(id) },
        { concurrency, leaseMs: 1000, pollIntervalMs: 5 },
      )
    }
    await queue.drain()
    expect(runs.toSorted((a, b) => a - b)).toEqual(ids)
  })
})

describe('rateLimit', () => {
  it('lets at most max jobs begin in any durationMs, over all connections', async () => {
    const file = temporaryFile()
    const rateLimit = { max: 5, durationMs: 150 }
    const starts: number[] = []
    const queues = [1, 2].map(
      () => openQueue({ file, now: () => performance.timeOrigin + performance.now() }).queue,
    )
    for (const queue of queues) {
      queue.work(
        {
          work: (_, { id }) => void queue.get(id).then((job) => starts.push(job?.startedAt?.getTime() ?? 0)),
        },
        { rateLimit, pollIntervalMs: 10 },
      )
    }
    await queues[0]?.addMany(
      'work',
      Array.from({ length: 20 }, (_, i) => i),
    )
    await queues[0]?.drain()
    await eventually(() => expect(starts).toHaveLength(20))
    starts.sort((a, b) => a - b)
    for (let i = 5; i < starts.length; i++) {
      expect((starts[i] ?? 0) - (starts[i - 5] ?? 0)).toBeGreaterThanOrEqual(150)
    }
  })

  it('does not wait for a time that a clock set back has moved away', async () => {
    let now = Date.now()
    const { queue } = openQueue({ now: () => now })
    queue.work({ work: () => {} }, { rateLimit: { max: 1, durationMs: 1000 }, pollIntervalMs: 5 })
    await queue.add('work', 1)
    await queue.drain()
    now -= 3_600_000
    const { id } = await queue.add('work', 2)
    await eventually(async () => expect(await queue.counts()).toMatchObject({ pending: 1 }))
    const claimed = eventually(async () => expect(await queue.get(id)).toMatchObject({ state: 'completed' }))
    now += 1001
    await claimed
  })
})

describe('a handler', () => {
  it('that takes longer than timeoutMs is aborted, and its attempt has failed', async () => {
    const { queue } = openQueue({ maxAttempts: 2 })
    const reasons: unknown[] = []
    queue.work(
      {
        work: (_, { signal, attempt }) =>
          attempt === 2
            ? 'in time'
            : new Promise((resolve) =>
                signal.addEventListener('abort', () => {
                  reasons.push(signal.reason)
                  resolve('too late')
                }),
              ),
      },
      { timeoutMs: 20, backoff: () => 0 },
    )
    const { id } = await queue.add('work', 1)
    expect(await queue.waitFor(id)).toBe('in time')
    expect(reasons).toMatchObject([{ code: 'ERR_JOB_TIMEOUT', jobId: id, timeoutMs: 20 }])
    expect(await queue.get(id)).toMatchObject({ attempts: 2, error: { name: 'JobTimeoutError' } })
  })

  it('reports progress, which a new attempt begins without', async () => {
    const { queue } = openQueue()
    const seen: unknown[] = []
    queue.work(
      {
        other: async (_, ctx) => {
          await ctx.progress({ done: ctx.attempt })
          seen.push((await queue.get(ctx.id))?.progress)
          if (ctx.attempt === 1) throw new Error('again')
          await expect(ctx.progress(1n)).rejects.toMatchObject({ code: 'ERR_VALUE' })
        },
      },
      { backoff: () => 0 },
    )
    const { id } = await queue.add('other', 1)
    await queue.waitFor(id)
    expect(seen).toEqual([{ done: 1 }, { done: 2 }])
    expect(await queue.get(id)).toMatchObject({ progress: { done: 2 } })
  })

  it('runs in no context of whoever added the job', async () => {
    const { queue, worker } = openQueue()
    const requests = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    queue.work({ work: async () => void seen.push([requests.getStore(), worker.isInTransaction]) })
    await requests.run('request 1', () => queue.add('work', 1))
    await requests.run('request 2', () => worker.transaction((tx) => queue.add('work', 1, { tx })))
    await queue.drain()
    expect(seen).toEqual([
      [undefined, false],
      [undefined, false],
    ])
  })

  it('has its effects exactly once with ctx.complete, and none when it throws', async () => {
    const { queue, worker } = openQueue()
    await worker.execute('CREATE TABLE effects (job INTEGER, attempt INTEGER)')
    queue.work(
      {
        work: async (_, ctx) => {
          const result = await ctx.complete(async (tx) => {
            await tx.insert('effects', { job: ctx.id, attempt: ctx.attempt })
            if (ctx.attempt === 1) throw new Error('rolled back')
            return 'from the transaction'
          })
          return `ignored ${result}`
        },
      },
      { backoff: () => 0 },
    )
    const { id } = await queue.add('work', 1)
    expect(await queue.waitFor(id)).toBe('from the transaction')
    expect(await worker.select('effects')).toEqual([{ job: id, attempt: 2 }])
  })

  it('that fails after ctx.complete has completed all the same', async () => {
    const { queue, errors } = openQueue()
    queue.work({
      work: async (_, ctx) => {
        await ctx.complete(() => 'done')
        throw new Error('afterwards')
      },
    })
    const { id } = await queue.add('work', 1)
    expect(await queue.waitFor(id)).toBe('done')
    await eventually(() => expect(errors).toMatchObject([{ message: 'afterwards' }]))
    errors.length = 0
    expect(await queue.get(id)).toMatchObject({ state: 'completed', attempts: 1 })
  })

  it('cannot complete its job as part of another transaction', async () => {
    const { queue, worker } = openQueue({ maxAttempts: 1 })
    queue.work({ work: (_, ctx) => worker.transaction(() => ctx.complete(() => 1)) })
    const { id } = await queue.add('work', 1)
    await expect(queue.waitFor(id)).rejects.toMatchObject({ failure: { name: 'UsageError' } })
  })
})

describe('a zombie', () => {
  it('has its completion, progress, failure and transactions refused, and its signal aborted', async () => {
    const file = temporaryFile()
    const { queue, worker, errors } = openQueue({ file })
    await worker.execute('CREATE TABLE effects (who TEXT)')
    const started = gate()
    const end = gate()
    const refusals: unknown[] = []
    const note = (error: { code?: string }) => void refusals.push(error.code)
    let isAborted = false
    const ways: Record<string, (ctx: JobContext) => unknown> = {
      complete: (ctx) => ctx.complete((tx) => tx.insert('effects', { who: 'zombie' })).catch(note),
      transaction: (ctx) => ctx.transaction((tx) => tx.insert('effects', { who: 'zombie' })).catch(note),
      progress: (ctx) => ctx.progress('zombie').catch(note),
      fail: () => Promise.reject(new Error('zombie')),
      succeed: () => 'zombie',
    }
    let count = 0
    const zombie = queue.work(
      {
        work: async (way, ctx) => {
          ctx.signal.addEventListener('abort', () => (isAborted = true))
          if (++count === 5) started.open()
          await end.opened
          return ways[String(way)]?.(ctx)
        },
      },
      { leaseMs: 2 ** 30 }, // it does not notice by itself
    )
    const ids = await queue.addMany('work', Object.keys(ways))
    await started.opened
    await worker.execute('DELETE FROM outrider_queue_consumers') // as one does that finds it dead
    const heir = openQueue({ file }).queue
    const consumer = heir.work({ work: () => 'heir' }, { leaseMs: 60 })
    for (const id of ids) expect(await heir.waitFor(id)).toBe('heir')
    end.open()
    await zombie.close()
    expect(refusals).toEqual(['ERR_LEASE_LOST', 'ERR_LEASE_LOST', 'ERR_LEASE_LOST'])
    expect(isAborted).toBe(true)
    for (const id of ids) {
      expect(await heir.get(id)).toMatchObject({
        state: 'completed',
        result: 'heir',
        attempts: 2,
        progress: undefined,
      })
    }
    expect(await worker.select('effects')).toEqual([])
    expect(errors.splice(0).every((error) => (error as { code: string }).code === 'ERR_LEASE_LOST')).toBe(
      true,
    )
    await consumer.close()
  })

  it('notices the loss with its next sign of life, aborts its handlers and takes new jobs', async () => {
    const { queue, worker } = openQueue()
    const reasons: unknown[] = []
    queue.work(
      {
        work: (_, { signal, attempt }) =>
          attempt > 1
            ? 'again'
            : new Promise((_, reject) => {
                signal.addEventListener('abort', () => {
                  reasons.push(signal.reason)
                  reject(signal.reason as Error)
                })
              }),
      },
      { leaseMs: 300 },
    )
    const { id } = await queue.add('work', 1)
    await eventually(async () => expect(await queue.counts()).toMatchObject({ running: 1 }))
    await worker.execute('DELETE FROM outrider_queue_consumers')
    expect(await queue.waitFor(id)).toBe('again')
    expect(reasons).toMatchObject([{ code: 'ERR_LEASE_LOST', jobId: id }])
    expect(await queue.get(id)).toMatchObject({ attempts: 2 })
  })

  it('that cannot reach the file for as long as its lease stops its handlers by itself', async () => {
    const file = temporaryFile()
    const { queue, errors } = openQueue({ file })
    let reason: unknown
    queue.work(
      {
        work: (_, { signal, attempt }) =>
          attempt > 1 ||
          new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve((reason = signal.reason)))
          }),
      },
      { leaseMs: 90, pollIntervalMs: 20 },
    )
    const { id } = await queue.add('work', 1)
    await eventually(async () => expect(await queue.counts()).toMatchObject({ running: 1 }))
    const other = new Database(file)
    other.exec('BEGIN IMMEDIATE')
    await eventually(() => expect(reason).toMatchObject({ code: 'ERR_LEASE_LOST' }))
    other.exec('COMMIT')
    other.close()
    expect(await queue.waitFor(id)).toBe(true)
    errors.length = 0 // it may have told of the lock
  })
})

describe('a dead consumer', () => {
  it('loses its jobs to others once its lease has ended, and not while it gives signs of life', async () => {
    const file = temporaryFile()
    const { queue, worker } = openQueue({ file })
    const dead = [
      'INSERT INTO outrider_queue_consumers (id, queue, lease_ms, beat) VALUES (1000, 1, 200, 0)',
      'UPDATE outrider_queue_jobs SET state = 1, consumer = 1000, fence = 1, attempts = 1 WHERE id = 1',
      'UPDATE outrider_queue_jobs SET state = 1, consumer = 1000, fence = 5, attempts = 5 WHERE id = 2',
    ]
    const [again = 0, last = 0] = await queue.addMany('work', ['again', 'last'])
    for (const sql of dead) await worker.execute(sql)
    queue.work({ work: (payload) => payload }, { leaseMs: 60 })
    const beating = setInterval(
      () => void worker.execute('UPDATE outrider_queue_consumers SET beat = beat + 1 WHERE id = 1000'),
      20,
    )
    await expect(queue.waitFor(again, { timeoutMs: 500 })).rejects.toMatchObject({ code: 'ERR_WAIT_TIMEOUT' })
    clearInterval(beating)
    expect(await queue.waitFor(again)).toBe('again')
    await expect(queue.waitFor(last)).rejects.toMatchObject({
      code: 'ERR_JOB_DEAD',
      failure: { name: 'LeaseLostError' },
    })
  })
})

describe('close', () => {
  it('lets running handlers finish and takes no more', async () => {
    const { queue } = openQueue()
    const started = gate()
    const end = gate()
    const consumer = queue.work(
      {
        work: async () => {
          started.open()
          await end.opened
          return 'finished'
        },
      },
      { concurrency: 1 },
    )
    const [first = 0, second = 0] = await queue.addMany('work', [1, 2])
    await started.opened
    const closed = consumer.close()
    end.open()
    await closed
    expect(await queue.waitFor(first)).toBe('finished')
    expect(await queue.get(second)).toMatchObject({ state: 'pending', attempts: 0 })
    await consumer.close()
  })

  it('aborts handlers that take too long, and gives their jobs back uncounted', async () => {
    const { queue, worker } = openQueue()
    const started = gate()
    let reason: unknown
    const consumer = queue.work({
      work: (_, { signal }) => {
        started.open()
        return new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject((reason = signal.reason as Error))),
        )
      },
      other: () => new Promise(() => {}),
    })
    const [first] = await queue.addMany('work', [1])
    const stuck = await queue.add('other', 1)
    await started.opened
    await eventually(async () => expect(await queue.counts()).toMatchObject({ running: 2 }))
    await consumer.close({ timeoutMs: 0, abortMs: 10 })
    expect(reason).toMatchObject({ code: 'ERR_QUEUE_CLOSED' })
    for (const id of [first ?? 0, stuck.id]) {
      expect(await queue.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
    }
    expect(await worker.select('outrider_queue_consumers')).toEqual([])
    await expect(consumer.close({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })

  it('of the worker ends consumers without a word', async () => {
    const { queue, worker, errors } = openQueue()
    queue.work({ work: () => {} }, { pollIntervalMs: 5, leaseMs: 50 })
    await queue.add('work', 1)
    await queue.drain()
    await worker.close()
    await expect(queue.add('work', 1)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await queue.close()
    expect(errors).toEqual([])
  })
})

describe('work', () => {
  it('refuses handlers and options that do not fit', () => {
    const { queue } = openQueue()
    const handlers = { work: () => {} }
    for (const bad of [null, {}, { work: 5 }, 'x']) {
      expect(() => queue.work(bad as never)).toThrow('Expected handlers to be')
    }
    for (const options of [
      { concurrency: 0 },
      { concurrency: 1.5 },
      { queueConcurrency: 0 },
      { groupConcurrency: -1 },
      { rateLimit: { max: 1 } },
      { rateLimit: { max: 0, durationMs: 1 } },
      { rateLimit: { max: 1, durationMs: 1, extra: 1 } },
      { timeoutMs: 0 },
      { leaseMs: 49 },
      { pollIntervalMs: 0 },
      { backoff: { factor: 0.5 } },
      { backoff: { jitter: 2 } },
      { backoff: 5 },
      { shouldRetry: true },
      { concurency: 1 },
    ]) {
      expect(() => queue.work(handlers, options as object)).toThrow(TypeError)
    }
  })
})
