import { eventually } from '@outrider/test-kit'
import { describe, expect, it } from 'vitest'
import type { SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { gate, openWorker } from './fixture.ts'
import { blockWriter } from './fixtures/observe.ts'
import { COUNT_UP } from './fixtures/sql.ts'

async function withTable(options: SqliteWorkerOptions = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  // again and again, since a thread takes longer to start than a queueTimeoutMs of a few milliseconds
  await eventually(() => worker.execute('CREATE TABLE IF NOT EXISTS t (n UNIQUE)'))
  await eventually(() => worker.select('t'))
  return worker
}

const count = async (worker: SqliteWorker): Promise<number> => (await worker.select('t')).length
const full = { code: 'ERR_QUEUE_FULL' }

describe('a full queue', () => {
  it('lets calls wait in line, and says when there is room', async () => {
    const worker = await withTable({ maxQueueSize: 3 })
    await worker.whenReady()
    const block = await blockWriter(worker)
    const inserts = [1, 2, 3, 4].map((n) => worker.insert('t', { n }))
    let isReady = false
    const ready = worker.whenReady().then(() => (isReady = true))
    expect(worker.queueSize).toBe(5)
    await worker.execute('SELECT 1', [], { consistency: 'eager' })
    expect(isReady).toBe(false)
    await block.release()
    await ready
    expect(worker.queueSize).toBeLessThan(3)
    await Promise.all(inserts)
    expect([await count(worker), worker.queueSize]).toEqual([4, 0])
  })

  it("rejects what comes with queuePolicy 'reject', which never runs", async () => {
    const worker = await withTable({ maxQueueSize: 2, queuePolicy: 'reject' })
    const block = await blockWriter(worker)
    const accepted = worker.insert('t', { n: 1 })
    await expect(worker.insert('t', { n: 2 })).rejects.toMatchObject({
      ...full,
      message: expect.stringContaining('2 operations of 2') as string,
    })
    await expect(worker.execute('SELECT 1')).rejects.toMatchObject(full)
    await expect(worker.batch([{ sql: 'SELECT 1' }])).rejects.toMatchObject(full)
    await expect(worker.stream('SELECT 1').next()).rejects.toMatchObject(full)
    await expect(worker.transaction(() => 1)).rejects.toMatchObject(full)
    await block.release()
    await accepted
    expect(await count(worker)).toBe(1)
    await worker.insert('t', { n: 3 })
    expect([await count(worker), worker.queueSize]).toEqual([2, 0])
  })

  it('may be full by the bytes of parameters', async () => {
    const worker = await withTable({ maxQueueBytes: 1000, queuePolicy: 'reject' })
    const block = await blockWriter(worker)
    const large = worker.insert('t', { n: new Uint8Array(2000) })
    expect(worker.stats().queueBytes).toBeGreaterThanOrEqual(2000)
    await expect(worker.insert('t', { n: 1 })).rejects.toMatchObject({
      ...full,
      message: expect.stringContaining('bytes of 1000') as string,
    })
    await block.release()
    await large
    await worker.batch([{ sql: 'INSERT INTO t VALUES (?)', params: ['x'.repeat(2000)] }])
    expect([await count(worker), worker.stats().queueBytes]).toEqual([2, 0])
  })

  it('never refuses what belongs to an open transaction, nor its end', async () => {
    const worker = await withTable({ maxQueueSize: 1, queuePolicy: 'reject' })
    await worker.transaction(async (tx) => {
      const inserts = [1, 2, 3].map((n) => tx.insert('t', { n }))
      await expect(worker.outside(() => worker.insert('t', { n: 4 }))).rejects.toMatchObject(full)
      await Promise.all(inserts)
      await tx.transaction((inner) => Promise.all([inner.insert('t', { n: 5 }), inner.insert('t', { n: 6 })]))
    })
    expect(await count(worker)).toBe(5)
  })
})

describe('queueTimeoutMs', () => {
  const late = { code: 'ERR_QUEUE_TIMEOUT' }

  it('gives up what waits for longer behind a transaction, and it never runs', async () => {
    const worker = await withTable({ queueTimeoutMs: 20 })
    const hold = gate()
    const transaction = worker.transaction(() => hold.opened)
    const outcomes = await Promise.allSettled([
      worker.insert('t', { n: 1 }),
      worker.insert('t', { n: 2 }),
      worker.select('t'),
    ])
    expect(outcomes).toMatchObject([{ reason: late }, { reason: late }, { reason: late }])
    hold.open()
    await transaction
    await worker.insert('t', { n: 3 })
    expect([await worker.select('t'), worker.queueSize]).toEqual([[{ n: 3 }], 0])
  })

  it('does not concern what was sent, nor what belongs to a transaction', async () => {
    const worker = await withTable({ queueTimeoutMs: 20 })
    const block = await blockWriter(worker)
    const sent = worker.insert('t', { n: 0 })
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setTimeout(resolve, 60))
    await block.release()
    await sent
    await worker.transaction(async (tx) => {
      const busy = await blockWriter(tx as never)
      const inserts = Array.from({ length: 2000 }, (_, n) => tx.insert('t', { n: n + 1 })) // more than two messages
      await new Promise((resolve) => setTimeout(resolve, 60))
      await busy.release()
      await Promise.all(inserts)
    })
    expect(await count(worker)).toBe(2001)
  })

  it('starts again for what comes later', async () => {
    const worker = await withTable({ queueTimeoutMs: 30 })
    await worker.insert('t', { n: 1 })
    const hold = gate()
    const transaction = worker.transaction(() => hold.opened)
    await expect(worker.insert('t', { n: 2 })).rejects.toMatchObject(late)
    await expect(worker.insert('t', { n: 3 })).rejects.toMatchObject(late)
    hold.open()
    await transaction
    expect(await count(worker)).toBe(1)
  })
})

describe('queueSize', () => {
  it('is 0 again after all kinds of outcomes', async () => {
    const worker = await withTable({ readers: 2 })
    const controller = new AbortController()
    const { signal } = controller
    const block = await blockWriter(worker)
    const outcomes = Promise.allSettled([
      worker.insert('t', { n: 1 }),
      worker.insert('t', { n: 1 }),
      worker.insert('t', { n: undefined as never }),
      worker.execute('INSERT INTO t VALUES (2)', [], { signal }),
      worker.execute('SELECT 1', [], { signal }),
      worker.execute(COUNT_UP, [1_000_000], { signal, consistency: 'eager' }),
      worker.batch([{ sql: 'nonsense' }]),
      worker.executeScript('nonsense'),
      worker.transaction(async (tx) => {
        await tx.insert('t', { n: 3 })
        void tx.execute('SELECT 1', [], { signal }).catch(() => {})
        throw new Error('undo')
      }),
      worker.transaction((tx) => tx.insert('t', { n: 4 }), { signal }),
      worker.stream('SELECT 1', [], { signal }).next(),
    ])
    setImmediate(() => {
      controller.abort()
      void block.release()
    })
    await outcomes
    await worker.close()
    expect(worker.queueSize).toBe(0)
    expect(worker.stats()).toMatchObject({
      queueBytes: 0,
      streams: 0,
      writer: { underWay: 0 },
      readers: { underWay: 0 },
    })
  })

  it('is 0 after closing without drain, and whoever waited for room is told', async () => {
    const worker = await withTable({ maxQueueSize: 2 })
    const block = await blockWriter(worker)
    await new Promise((resolve) => setImmediate(resolve))
    const inserts = Array.from({ length: 5000 }, (_, n) => worker.insert('t', { n }))
    const outcomes = Promise.allSettled(inserts)
    const ready = worker.whenReady()
    const closed = worker.close({ drain: false })
    await block.release()
    await closed
    await ready
    const reasons = (await outcomes).map(
      (outcome) => outcome.status === 'rejected' && (outcome.reason as { code: string }).code,
    )
    expect(reasons.at(-1)).toBe('ERR_CLOSED')
    expect(worker.queueSize).toBe(0)
  })
})
