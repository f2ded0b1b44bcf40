import { setImmediate as turn } from 'node:timers/promises'
import { eventually } from '@outrider/test-kit'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { openWorker } from './fixture.ts'
import { blockWriter } from './fixtures/observe.ts'
import { COUNT_UP, ROWS } from './fixtures/sql.ts'

async function withTable(options: SqliteWorkerOptions = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (n)')
  return worker
}

const aborted = (maybeCommitted: boolean): object => ({ code: 'ERR_ABORTED', maybeCommitted })
const numbers = async (worker: SqliteWorker): Promise<unknown[]> =>
  (await worker.execute<{ n: number }>('SELECT n FROM t ORDER BY rowid')).map(({ n }) => n)

const INSERT = 'INSERT INTO t VALUES (?)'

/** Resolves once a reader has something to do. */
const underWay = (worker: SqliteWorker): Promise<void> =>
  eventually(() => expect(worker.stats().readers.underWay).toBe(1))

describe('a signal that has fired', () => {
  it('keeps every kind of call from running, and is its cause', async () => {
    const worker = await withTable()
    const signal = AbortSignal.abort('enough')
    const calls = [
      worker.execute(INSERT, [1], { signal }),
      worker.execute('SELECT 1', [], { signal }),
      worker.select('t', {}, { signal }),
      worker.batch([{ sql: INSERT, params: [2] }], { signal }),
      worker.stream('SELECT 1', [], { signal }).next(),
      worker.transaction((tx) => tx.insert('t', { n: 3 }), { signal }),
      worker.beginTransaction({ signal }),
    ]
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ reason: { ...aborted(false), cause: 'enough' } })
    await worker.transaction(async (tx) => {
      await expect(tx.execute(INSERT, [4], { signal })).rejects.toMatchObject(aborted(false))
      await expect(tx.batch([{ sql: INSERT, params: [5] }], { signal })).rejects.toMatchObject(aborted(false))
      await tx.insert('t', { n: 6 })
    })
    expect(await numbers(worker)).toEqual([6])
  })
})

describe('a write that is given up', () => {
  it('once it was sent may have run, and does not while it still waits in the thread', async () => {
    const worker = await withTable()
    const block = await blockWriter(worker)
    const controller = new AbortController()
    const { signal } = controller
    const calls = Promise.allSettled([
      worker.execute(INSERT, [1], { signal }),
      worker.execute(INSERT, [2]),
      worker.batch([{ sql: INSERT, params: [3] }], { signal }),
      worker.execute(INSERT, [4]),
    ])
    await turn() // sent by now
    controller.abort()
    const reason = aborted(true)
    await block.release()
    expect(await calls).toMatchObject([{ reason }, { value: {} }, { reason }, { value: {} }])
    expect(await numbers(worker)).toEqual([2, 4])
    expect(worker.queueSize).toBe(0)
  })

  it('before it was sent never runs, and its caller knows at once', async () => {
    const worker = await withTable()
    const block = await blockWriter(worker)
    const sent = worker.execute(INSERT, [1])
    await turn()
    const controller = new AbortController()
    const { signal } = controller
    const queued = [
      worker.execute(INSERT, [2], { signal }),
      worker.batch([{ sql: INSERT, params: [3] }], { signal }),
    ]
    const outcomes = Promise.allSettled(queued)
    controller.abort()
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: aborted(false) })
    await block.release() // the thread was busy until now
    await sent
    expect(await numbers(worker)).toEqual([1])
  })

  it('after it ran has run', async () => {
    const worker = await withTable()
    const controller = new AbortController()
    await worker.execute(INSERT, [1], { signal: controller.signal })
    controller.abort()
    expect(await numbers(worker)).toEqual([1])
  })

  it('in a transaction that goes on leaves the rest of it as it is', async () => {
    const worker = await withTable()
    const controller = new AbortController()
    await worker.transaction(async (tx) => {
      void tx.insert('t', { n: 1 })
      const given = tx.execute(INSERT, [2], { signal: controller.signal })
      controller.abort()
      await expect(given).rejects.toMatchObject(aborted(false))
      await tx.insert('t', { n: 3 })
    })
    expect(await numbers(worker)).toEqual([1, 3])
  })
})

describe('a read that is given up', () => {
  it('between two rows stops, and its thread serves the next', async () => {
    const worker = await withTable({ readers: 1 })
    await worker.select('t')
    const controller = new AbortController()
    const rows = worker.execute(ROWS, [1e12], { signal: controller.signal })
    const rejected = expect(rows).rejects.toMatchObject(aborted(false))
    await underWay(worker)
    controller.abort()
    await rejected
    expect(await worker.select('t')).toEqual([])
    expect(worker.stats().readers).toMatchObject({ threads: 1, restarts: 0 })
    await eventually(() => expect(worker.queueSize).toBe(0))
  })

  it('on the writer stops between two rows too, and writes go on', async () => {
    const worker = await withTable({ readers: 0 })
    const controller = new AbortController()
    const rows = worker.execute(ROWS, [1e12], { signal: controller.signal })
    const rejected = expect(rows).rejects.toMatchObject(aborted(true))
    await turn() // sent by now
    controller.abort()
    await rejected
    await worker.insert('t', { n: 1 })
    expect(await numbers(worker)).toEqual([1])
  })

  it('in a native call is left alone: its caller knows at once, others run on another thread', async () => {
    const worker = await withTable({ readers: 1 })
    await worker.select('t')
    const controller = new AbortController()
    const stuck = worker.execute(COUNT_UP, [6_000_000], { signal: controller.signal })
    const neighbours = [1, 2, 3].map((one) => worker.execute('SELECT ? AS one', [one]))
    const rejected = expect(stuck).rejects.toMatchObject(aborted(false))
    await eventually(() => expect(worker.stats().readers.underWay).toBeGreaterThan(0))
    controller.abort()
    await rejected
    expect(await Promise.all(neighbours)).toEqual([[{ one: 1 }], [{ one: 2 }], [{ one: 3 }]])
    await worker.insert('t', { n: 1 })
    expect(await numbers(worker)).toEqual([1])
    expect(worker.stats().readers).toMatchObject({ threads: 1, restarts: 0 })
    await worker.close()
    expect(worker.queueSize).toBe(0)
  })

  it(
    'in a native call, again and again, does not keep the others from their answers',
    { timeout: 60_000 },
    async () => {
      const worker = await withTable({ readers: 1 })
      await worker.select('t')
      for (let round = 0; round < 5; round++) {
        const controller = new AbortController()
        const stuck = worker.execute(COUNT_UP, [6_000_000 + round], { signal: controller.signal })
        const rejected = expect(stuck).rejects.toMatchObject(aborted(false))
        await underWay(worker)
        controller.abort()
        await rejected
        expect(await worker.execute('SELECT ? AS round', [round])).toEqual([{ round }])
      }
      await worker.close()
      expect(worker.queueSize).toBe(0)
    },
  )
})

describe('one signal for many calls', () => {
  it('ends all of them, wherever they are', async () => {
    const worker = await withTable({ readers: 1, maxStreams: 1 })
    await worker.select('t')
    const controller = new AbortController()
    const { signal } = controller
    const warnings: unknown[] = []
    const note = (warning: unknown): unknown => warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const block = await blockWriter(worker)
    const rows = worker.stream(ROWS, [1e12], { signal })
    const calls = [
      ...Array.from({ length: 20 }, (_, n) => worker.execute(INSERT, [n], { signal })),
      ...Array.from({ length: 20 }, () => worker.select('t', {}, { signal })),
      worker.execute(ROWS, [1e12], { signal, consistency: 'eager' }),
      worker.transaction((tx) => tx.insert('t', { n: 100 }), { signal }),
      worker.stream('SELECT 1', [], { signal }).next(),
    ]
    const outcomes = Promise.allSettled(calls)
    await turn()
    controller.abort()
    await expect(rows.next()).rejects.toMatchObject(aborted(false))
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: 'ERR_ABORTED' } })
    await block.release()
    expect(await numbers(worker)).toEqual([])
    await turn()
    expect(warnings).toEqual([])
    await eventually(() => expect([worker.queueSize, worker.stats().streams]).toEqual([0, 0]))
  })
})
