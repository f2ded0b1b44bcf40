import { writeFileSync } from 'node:fs'
import { eventually, spawnChild, type TestChild } from '@outrider/test-kit'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { SqliteWorker } from '../src/index.ts'
import type { JobContext } from '../src/queue/index.ts'
import { killWriter } from '../src/testing/index.ts'
import { Random } from './faults/random.ts'
import { seedOf, sized } from './faults/size.ts'
import { openWorker, temporaryFile, workerUrl } from './fixture.ts'
import { openQueue, type OpenedQueue } from './fixtures/queue-fixture.ts'

const program = new URL('./fixtures/queue-consumer.ts', import.meta.url)
const timeout = 180_000
const patient = { timeoutMs: 120_000 }
const random = new Random(seedOf('queue'))

function start(file: string, mode: string, options: { killAt?: string[]; leaseMs?: number } = {}): TestChild {
  const { killAt = [], leaseMs = 300 } = options
  const child = spawnChild(program, { args: [file, workerUrl().href, mode, String(leaseMs)], killAt })
  onTestFinished(() => child[Symbol.asyncDispose]())
  return child
}

async function openWithEffects(): Promise<OpenedQueue & { file: string }> {
  const file = temporaryFile()
  const opened = openQueue({ file, worker: openWorker({ file, retryDelay: 0.001 }), maxAttempts: 1000 })
  await opened.worker.execute('CREATE TABLE effects (job INTEGER)')
  return { ...opened, file }
}

async function effects(worker: SqliteWorker): Promise<unknown[]> {
  const rows = await worker.execute<{ job: number }>('SELECT job FROM effects ORDER BY job')
  return rows.map(({ job }) => job)
}

describe('the queue', () => {
  it(
    'has each fenced effect exactly once, though processes are killed in the middle',
    { timeout },
    async () => {
      const kills = sized(3, 20)
      const { file, queue, worker } = await openWithEffects()
      const ids = await queue.addMany(
        'work',
        Array.from({ length: kills * 6 }, (_, i) => i),
      )
      for (let kill = 0; kill < kills; kill++) {
        const point = `${['before', 'inside', 'after'][random.below(3)]} ${1 + random.below(3)}`
        const { signal } = await start(file, 'fenced', { killAt: [point] }).exited
        expect(signal, point).toBe('SIGKILL')
      }
      start(file, 'fenced')
      await queue.drain(patient)
      expect(await effects(worker)).toEqual(ids)
      expect(await queue.counts()).toEqual({
        pending: 0,
        delayed: 0,
        running: 0,
        completed: ids.length,
        dead: 0,
      })
      expect(await worker.execute('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
    },
  )

  it('goes on when its SQLite thread dies, with each fenced effect exactly once', { timeout }, async () => {
    const { queue, worker, errors } = await openWithEffects()
    let began = 0
    queue.work(
      {
        work: async (_, ctx) => {
          began += 1
          await new Promise((resolve) => setImmediate(resolve))
          await ctx.complete((tx) => tx.insert('effects', { job: ctx.id }))
        },
      },
      { leaseMs: 150, backoff: () => 0, pollIntervalMs: 10 },
    )
    const ids = await queue.addMany(
      'work',
      Array.from({ length: sized(600, 6000) }, (_, i) => i),
    )
    for (let kill = 1; kill <= sized(3, 20); kill++) {
      await eventually(() => expect(began).toBeGreaterThanOrEqual(kill * sized(100, 200)), patient)
      await killWriter(worker)
    }
    await queue.drain({ ...patient, delayed: true })
    expect(await effects(worker)).toEqual(ids)
    expect(await queue.counts()).toMatchObject({ completed: ids.length, dead: 0 })
    expect(errors.splice(0).map((error) => (error as { code?: string }).code)).not.toContain(undefined)
  })

  it('refuses what a process writes that was stopped for longer than its lease', { timeout }, async () => {
    for (let round = 0; round < sized(1, 5); round++) {
      const { file, queue, worker } = await openWithEffects()
      const gateFile = `${file}.gate`
      const { id } = await queue.add('work', gateFile)
      const child = start(file, 'zombie')
      await child.waitFor('started 1')
      child.kill('SIGSTOP')
      queue.work({ work: () => 'heir' }, { leaseMs: 100, pollIntervalMs: 10 })
      expect(await queue.waitFor(id, patient)).toBe('heir')
      writeFileSync(gateFile, '')
      child.kill('SIGCONT')
      await child.waitFor('refused ERR_LEASE_LOST ERR_LEASE_LOST aborted')
      expect(await queue.get(id)).toMatchObject({
        state: 'completed',
        result: 'heir',
        attempts: 2,
        progress: undefined,
      })
      expect(await effects(worker)).toEqual([])
      child.kill()
    }
  })

  it('ends a job dead that kills each process, and runs all others', { timeout }, async () => {
    const { file, queue, worker } = await openWithEffects()
    const poisons = sized(1, 3)
    const payloads = Array.from({ length: poisons * 20 }, () => 'good')
    for (let i = 0; i < poisons; i++) payloads[i * 20 + random.below(20)] = 'poison'
    const ids = await queue.addMany('work', payloads, { maxAttempts: 4 })
    let crashes = 0
    const drained = queue.drain({ ...patient, delayed: true }).then(() => 'drained' as const)
    for (;;) {
      const end = await Promise.race([drained, start(file, 'poisoned').exited])
      if (end === 'drained') break
      crashes += 1
    }
    const dead = await queue.dead.list()
    expect(dead.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual(
      ids.filter((_, i) => payloads[i] === 'poison'),
    )
    expect(dead.every(({ attempts }) => attempts === 4)).toBe(true)
    expect(crashes).toBeGreaterThanOrEqual(4)
    expect(new Set(await effects(worker))).toEqual(new Set(ids.filter((_, i) => payloads[i] === 'good')))
    expect(await queue.counts()).toMatchObject({ completed: ids.length - poisons, dead: poisons })
  })

  it('runs each slot exactly once with two processes, of which one is killed', { timeout }, async () => {
    const slots = sized(5, 30)
    const { file, queue, worker } = await openWithEffects()
    await queue.schedule('tick', '* * * * * *', 'work', null, { catchUp: 'all' })
    const children = [start(file, 'fenced'), start(file, 'fenced')]
    const made = () =>
      worker.execute<{ id: number; slot: number }>('SELECT id, slot FROM outrider_queue_jobs ORDER BY slot')
    await eventually(async () => expect((await made()).length).toBeGreaterThanOrEqual(slots / 2), patient)
    children[random.below(2)]?.kill()
    await eventually(async () => expect((await made()).length).toBeGreaterThanOrEqual(slots), patient)
    await queue.unschedule('tick')
    await queue.drain({ ...patient, delayed: true })
    const jobs = await made()
    expect(jobs.map(({ slot }) => slot)).toEqual(jobs.map((_, i) => (jobs[0]?.slot ?? 0) + 1000 * i))
    expect(await effects(worker)).toEqual(jobs.map(({ id }) => id))
  })

  it('runs no job twice in two processes while their leases hold', { timeout }, async () => {
    const { file, queue, worker } = await openWithEffects()
    const count = sized(1000, 20_000)
    const children = [start(file, 'noting', { leaseMs: 30_000 }), start(file, 'noting', { leaseMs: 30_000 })]
    await Promise.all(children.map((child) => child.waitFor('ready')))
    const ids: number[] = []
    for (let at = 0; at < count; at += 100) {
      ids.push(
        ...(await queue.addMany(
          'work',
          Array.from({ length: 100 }, (_, i) => at + i),
        )),
      )
    }
    await queue.drain(patient)
    expect(await effects(worker)).toEqual(ids)
    const consumers = await worker.execute('SELECT DISTINCT consumer FROM outrider_queue_jobs')
    expect(consumers).toHaveLength(2)
  })

  it(
    'runs each job and each slot once, and leaves none out, while the clock jumps',
    { timeout },
    async () => {
      const file = temporaryFile()
      const start = Date.parse('2030-01-01T12:00:00Z')
      const clock = { ms: start, earliestMs: start }
      const opened = Array.from({ length: 3 }, () => openQueue({ file, now: () => clock.ms }))
      const [{ queue, worker }] = opened as [OpenedQueue]
      await worker.execute('CREATE TABLE effects (job INTEGER)')
      await queue.schedule('tick', '*/10 * * * *', 'work', null, { catchUp: 'all' })
      const work = (_: unknown, ctx: JobContext) =>
        ctx.complete((tx) => tx.insert('effects', { job: ctx.id }))
      for (const each of opened) each.queue.work({ work }, { pollIntervalMs: 5 })
      const slotMs = 600_000
      /** Resolves once the schedule has followed. */
      const jumpTo = async (ms: number): Promise<void> => {
        clock.ms = ms
        clock.earliestMs = Math.min(clock.earliestMs, ms)
        const next = new Date((Math.floor(ms / slotMs) + 1) * slotMs)
        await eventually(
          async () => expect(await queue.schedules()).toMatchObject([{ nextAt: next }]),
          patient,
        )
      }
      const added: number[] = []
      for (let jump = 0; jump < sized(20, 300); jump++) {
        const delayMs = random.chance(0.5) ? 0 : random.below(3_600_000)
        const options = random.chance(0.5) ? { delayMs } : { runAt: new Date(clock.ms + delayMs) }
        added.push((await queue.add('work', jump, options)).id)
        // forth and back by seconds, minutes or an hour, never farther from the start
        const range = 1000 * 60 ** random.below(3)
        await jumpTo(start + random.below(2 * range) - range)
        if (random.chance(0.5)) await queue.drain(patient)
      }
      await jumpTo(start + 7_200_000)
      await queue.unschedule('tick')
      await queue.drain({ ...patient, delayed: true })
      const jobs = await worker.execute<{ id: number; slot: number | null }>(
        'SELECT id, slot FROM outrider_queue_jobs ORDER BY id',
      )
      const slots = jobs.flatMap(({ slot }) => (slot === null ? [] : [slot])).toSorted((a, b) => a - b)
      const first = Math.floor(clock.earliestMs / slotMs) + 1
      const passed = Array.from({ length: clock.ms / slotMs - first + 1 }, (_, i) => (first + i) * slotMs)
      expect(slots).toEqual(passed)
      expect(jobs.filter(({ slot }) => slot === null).map(({ id }) => id)).toEqual(added)
      expect(await effects(worker)).toEqual(jobs.map(({ id }) => id))
    },
  )
})
