import { describe, expect, it } from 'vitest'
import { SqliteWorker, WorkerDiedError, type SqliteWorkerOptions } from '../../src/index.ts'
import { killReader, killWriter } from '../../src/testing/index.ts'
import { gate, openWorker, temporaryFile, workerUrl } from '../fixture.ts'
import { Random } from './random.ts'
import { seedOf, sized } from './size.ts'

async function openTable(options: SqliteWorkerOptions = {}): Promise<SqliteWorker> {
  const worker = openWorker({ retryDelay: 0.001, ...options })
  await worker.execute('CREATE TABLE t (n INT)')
  return worker
}

const numbers = async (worker: SqliteWorker): Promise<number[]> =>
  (await worker.execute<{ n: number }>('SELECT n FROM t ORDER BY rowid', [], { consistency: 'writer' })).map(
    ({ n }) => n,
  )

/** Keeps the thread busy for a while. */
const slow = (rows: number): string =>
  `INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ${rows}) SELECT -1 FROM c WHERE i = 1 AND (SELECT COUNT(*) FROM c) > 0`

type Settled = { readonly acknowledged: true } | { readonly acknowledged: false; readonly error: unknown }

const settle = (call: PromiseLike<unknown>): Promise<Settled> =>
  Promise.resolve(call).then(
    () => ({ acknowledged: true }),
    (error: unknown) => ({ acknowledged: false, error }),
  )

describe('when the thread that writes dies', () => {
  it('what was under way rejects as perhaps committed, what was queued runs on the next one, in order', async () => {
    const worker = await openTable()
    const first = settle(worker.execute(slow(2_000_000)))
    const rows = Array.from({ length: 5000 }, (_, n) => n)
    const others = rows.map((n) => settle(worker.insert('t', { n })))
    await new Promise((resolve) => setImmediate(resolve)) // sent by now
    await killWriter(worker)
    expect(await first).toMatchObject({ error: { code: 'ERR_WORKER_DIED', maybeCommitted: true } })
    const outcomes = await Promise.all(others)
    const acknowledged = rows.filter((n) => outcomes[n]?.acknowledged)
    for (const outcome of outcomes) {
      if (!outcome.acknowledged)
        expect(outcome.error).toMatchObject({ code: 'ERR_WORKER_DIED', maybeCommitted: true })
    }
    // two messages of at most 512 were on their way
    expect(acknowledged.length).toBeGreaterThanOrEqual(5000 - 1024)
    expect(acknowledged.length).toBeLessThan(5000)
    expect(await numbers(worker)).toEqual(acknowledged)
    expect(worker.stats().writer.restarts).toBe(1)
  })

  it('an open transaction rejects and leaves nothing, and later ones run', async () => {
    const worker = await openTable()
    const [begun, goOn] = [gate(), gate()]
    const open = worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      begun.open()
      await goOn.opened
      await tx.insert('t', { n: 2 })
    })
    const waiting = worker.transaction((tx) => tx.insert('t', { n: 3 }))
    const outcome = settle(open)
    await begun.opened
    await killWriter(worker)
    goOn.open()
    expect(await outcome).toMatchObject({ error: { code: 'ERR_WORKER_DIED' } })
    await waiting
    expect(await numbers(worker)).toEqual([3])
  })

  it('a transaction begun by hand rejects as well', async () => {
    const worker = await openTable()
    const tx = await worker.beginTransaction()
    await tx.insert('t', { n: 1 })
    await killWriter(worker)
    await expect(tx.insert('t', { n: 2 })).rejects.toThrow()
    await expect(tx.commit()).rejects.toThrow()
    await tx.rollback()
    await worker.insert('t', { n: 3 })
    expect(await numbers(worker)).toEqual([3])
  })

  it('the next one is set up as the first was', async () => {
    const worker = await openTable({ synchronous: 'FULL', executeInit: ['PRAGMA cache_size = 123'] })
    await killWriter(worker)
    const pragma = async (name: string): Promise<unknown> => worker.execute(`PRAGMA ${name}`)
    expect(await pragma('synchronous')).toEqual([{ synchronous: 2 }])
    expect(await pragma('cache_size')).toEqual([{ cache_size: 123 }])
    expect(await pragma('journal_mode')).toEqual([{ journal_mode: 'wal' }])
  })

  it('and is not to be started again, all that waits and all that comes rejects', async () => {
    const worker = await openTable({ autoReconnect: false })
    const first = settle(worker.execute(slow(2_000_000)))
    const others = Array.from({ length: 3000 }, (_, n) => settle(worker.insert('t', { n })))
    const read = settle(worker.select('t'))
    await new Promise((resolve) => setImmediate(resolve))
    await killWriter(worker)
    for (const call of [first, ...others, read]) {
      expect(await call).toMatchObject({ acknowledged: false, error: { code: 'ERR_WORKER_DIED' } })
    }
    expect((await others.at(-1)) as object).toMatchObject({ error: { maybeCommitted: false } })
    await expect(worker.insert('t', { n: 1 })).rejects.toMatchObject({
      code: 'ERR_WORKER_DIED',
      maybeCommitted: false,
    })
    await expect(worker.transaction(() => 1)).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
    await worker.close()
  })

  it('again and again, it stays down after maxRetries and says so to all', async () => {
    // opens as the real one does, and ends at its first work
    const dying = new URL(
      `data:text/javascript,${encodeURIComponent(`
        import { parentPort } from 'node:worker_threads'
        parentPort.postMessage({ type: 'ready', wal: true })
        parentPort.on('message', () => process.exit(3))`)}`,
    )
    const worker = openWorker({ workerUrl: dying, maxRetries: 3, retryDelay: 0.001 })
    const calls = Array.from({ length: 4000 }, () => settle(worker.insert('t', { n: 1 })))
    const transaction = settle(worker.transaction((tx) => tx.insert('t', { n: 1 })))
    for (const call of [...calls, transaction]) {
      expect(await call).toMatchObject({ acknowledged: false, error: { code: 'ERR_WORKER_DIED' } })
    }
    expect(worker.stats().writer.restarts).toBe(3)
    await expect(worker.insert('t', { n: 1 })).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
    await worker.close()
  })
})

describe('when a thread that reads dies', () => {
  it('its reads run on another one, and nobody notices', async () => {
    const worker = await openTable({ readers: 2 })
    await worker.insert('t', [{ n: 1 }, { n: 2 }])
    for (let i = 0; i < 5; i++) {
      const reads = Array.from({ length: 200 }, () => worker.execute('SELECT n FROM t ORDER BY n'))
      await new Promise((resolve) => setImmediate(resolve))
      await killReader(worker)
      for (const rows of await Promise.all(reads)) expect(rows).toEqual([{ n: 1 }, { n: 2 }])
    }
  })

  it('writes go on', async () => {
    const worker = await openTable({ readers: 1 })
    await worker.select('t')
    const writes = Array.from({ length: 2000 }, (_, n) => worker.insert('t', { n }))
    await killReader(worker)
    await Promise.all(writes)
    expect(await worker.execute('SELECT COUNT(*) AS n FROM t')).toEqual([{ n: 2000 }])
  })
})

it(
  'killed at random moments: what was acknowledged is there once, transactions are whole, and all calls settle',
  {
    timeout: 180_000,
  },
  async () => {
    const random = new Random(seedOf('thread killed'))
    const worker = new SqliteWorker(temporaryFile(), {
      workerUrl: workerUrl(),
      retryDelay: 0.001,
      readers: 1,
    })
    await worker.execute('CREATE TABLE single (n INT)')
    await worker.execute('CREATE TABLE grouped (n INT, part INT)')
    const kills = sized(10, 200)
    const acknowledged = { single: new Set<number>(), grouped: new Set<number>() }
    const never = { single: new Set<number>(), grouped: new Set<number>() }
    const ending = new AbortController()
    let last = 0
    const note = async (kind: 'single' | 'grouped', n: number, call: PromiseLike<unknown>): Promise<void> => {
      try {
        await call
        acknowledged[kind].add(n)
      } catch (error) {
        expect(error).toBeInstanceOf(WorkerDiedError)
        if (!(error as WorkerDiedError).maybeCommitted) never[kind].add(n)
      }
    }
    const parts = [0, 1, 2]
    const client = async (): Promise<void> => {
      while (!ending.signal.aborted) {
        const n = ++last
        const kind = random.below(5)
        if (kind === 0) await note('single', n, worker.insert('single', { n }))
        else if (kind === 1) {
          const all = Array.from({ length: random.below(400) }, () => ++last)
          await Promise.all(all.map((each) => note('single', each, worker.insert('single', { n: each }))))
        } else if (kind === 2) {
          const call = worker.batch(
            parts.map((part) => ({ sql: 'INSERT INTO grouped VALUES (?, ?)', params: [n, part] })),
          )
          await note('grouped', n, call)
        } else if (kind === 3) {
          const call = worker.transaction(async (tx) => {
            for (const part of parts) await tx.insert('grouped', { n, part })
          })
          await note('grouped', n, call)
        } else
          await worker
            .execute('SELECT COUNT(*) FROM single')
            .catch((error) => expect(error).toBeInstanceOf(WorkerDiedError))
      }
    }
    const clients = Array.from({ length: 6 }, client)
    for (let kill = 0; kill < kills; kill++) {
      const goal = acknowledged.single.size + random.below(500)
      while (acknowledged.single.size < goal) await worker.execute('SELECT 1')
      await (random.chance(0.8) ? killWriter(worker) : killReader(worker))
    }
    ending.abort()
    await Promise.all(clients)
    const found = async (sql: string): Promise<number[]> =>
      (await worker.execute<{ n: number }>(sql)).map(({ n }) => n)
    expect(await found('SELECT n FROM single GROUP BY n HAVING COUNT(*) > 1')).toEqual([])
    expect(
      await found('SELECT n FROM grouped GROUP BY n HAVING COUNT(*) <> 3 OR COUNT(DISTINCT part) <> 3'),
    ).toEqual([])
    for (const kind of ['single', 'grouped'] as const) {
      const there = new Set(await found(`SELECT DISTINCT n FROM ${kind}`))
      expect({ lost: [...acknowledged[kind]].filter((n) => !there.has(n)) }).toEqual({ lost: [] })
      expect({ kept: [...never[kind]].filter((n) => there.has(n)) }).toEqual({ kept: [] })
    }
    process.stderr.write(
      `thread killed: ${acknowledged.single.size} and ${acknowledged.grouped.size} acknowledged, ${worker.stats().writer.restarts} restarts\n`,
    )
    await worker.close()
  },
)
