import { writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { eventually } from '@outrider/test-kit'
import { describe, expect, it } from 'vitest'
import type { RestartMessage, SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { killReader, killWriter } from '../src/testing/index.ts'
import { gate, openWorker, temporaryFile } from './fixture.ts'
import { blockWriter, connectionsOf, published } from './fixtures/observe.ts'
import { COUNT_UP, ROWS } from './fixtures/sql.ts'

type Options = SqliteWorkerOptions & { file?: string }

async function withTable(options: Options = {}): Promise<SqliteWorker> {
  const worker = openWorker({ retryDelay: 0, ...options })
  await worker.execute('CREATE TABLE IF NOT EXISTS t (n)')
  return worker
}

const numbers = async (worker: SqliteWorker): Promise<number[]> =>
  (await worker.execute<{ n: number }>('SELECT n FROM t ORDER BY rowid')).map(({ n }) => n)

const died = (maybeCommitted: boolean): object => ({
  name: 'WorkerDiedError',
  code: 'ERR_WORKER_DIED',
  maybeCommitted,
})

/** A thread that opens, and ends at its first work. */
const DYING = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads'
    parentPort.postMessage({ type: 'ready', wal: true })
    parentPort.on('message', () => process.exit(3))`)}`,
)

function moduleOf(text: string): URL {
  const file = `${temporaryFile()}.mjs`
  writeFileSync(file, text)
  return pathToFileURL(file)
}

describe('when the writer is killed', () => {
  it('whatever was sent rejects as perhaps committed, be it a batch, a script, a procedure or a read', async () => {
    const worker = await withTable()
    const { add } = worker.procedures<{ add(db: unknown): void }>(moduleOf('export const add = () => {}'))
    await add()
    await blockWriter(worker)
    const calls = Promise.allSettled([
      worker.insert('t', { n: 1 }),
      worker.batch([{ sql: 'INSERT INTO t VALUES (2)' }]),
      worker.executeScript('INSERT INTO t VALUES (3)'),
      add(),
      worker.execute('SELECT 1', [], { consistency: 'writer' }),
    ])
    await new Promise((resolve) => setImmediate(resolve)) // sent by now
    await killWriter(worker)
    for (const outcome of await calls) expect(outcome).toMatchObject({ reason: died(true) })
    expect(await numbers(worker)).toEqual([])
  })

  it('what was queued runs on the next one, in the order of the calls', async () => {
    const worker = await withTable()
    await blockWriter(worker)
    await new Promise((resolve) => setImmediate(resolve))
    const sent = Array.from({ length: 512 }, () => worker.insert('t', { n: -1 }))
    const lost = Promise.allSettled(sent)
    await new Promise((resolve) => setImmediate(resolve)) // two messages are under way, so nothing more is sent
    const calls = [
      worker.insert('t', { n: 1 }),
      worker.transaction((tx) => tx.insert('t', { n: 2 })),
      worker.batch([{ sql: 'INSERT INTO t VALUES (3)' }, { sql: 'INSERT INTO t VALUES (4)' }]),
      worker.beginTransaction().then(async (tx) => {
        await tx.insert('t', { n: 5 })
        await tx.commit()
      }),
      worker.executeScript('INSERT INTO t VALUES (6); INSERT INTO t VALUES (7)'),
      worker.insert('t', { n: 8 }),
    ]
    const read = worker.select('t')
    await killWriter(worker)
    for (const outcome of await lost) expect(outcome).toMatchObject({ reason: died(true) })
    await Promise.all(calls)
    expect(await read).toHaveLength(8)
    expect(await numbers(worker)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(worker.stats().writer.restarts).toBe(1)
  })

  it('calls made before the next one has started wait for it', async () => {
    const worker = await withTable({ retryDelay: 0.05 })
    await killWriter(worker)
    const calls = [1, 2, 3].map((n) => worker.insert('t', { n }))
    const transaction = worker.transaction((tx) => tx.insert('t', { n: 4 }))
    const read = worker.select('t')
    await Promise.all([...calls, transaction])
    expect(await read).not.toHaveLength(0)
    expect(await numbers(worker)).toEqual([1, 2, 3, 4])
  })

  it('an open transaction rejects as a whole, nested ones too, and its next statement as one after its end', async () => {
    const worker = await withTable()
    const outcomes: unknown[] = []
    const failed = worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      await tx.transaction(async (inner) => {
        await inner.insert('t', { n: 2 })
        await killWriter(worker)
        await inner.insert('t', { n: 3 }).catch((error: unknown) => outcomes.push(error))
      })
    })
    await expect(failed).rejects.toMatchObject(died(false))
    expect(outcomes).toMatchObject([{ code: 'ERR_TRANSACTION_ENDED' }])
    await worker.transaction((tx) => tx.insert('t', { n: 4 }))
    expect(await numbers(worker)).toEqual([4])
  })

  it('a transaction that has run nothing yet runs on the next one', async () => {
    const worker = await withTable()
    const [begun, goOn] = [gate(), gate()]
    const transaction = worker.transaction(async (tx) => {
      begun.open()
      await goOn.opened
      await tx.insert('t', { n: 1 })
    })
    await begun.opened
    await killWriter(worker)
    goOn.open()
    await transaction
    expect(await numbers(worker)).toEqual([1])
  })

  it('what it was doing when it committed is said to be perhaps committed, and is', async () => {
    const worker = await withTable()
    const flags = new Int32Array(new SharedArrayBuffer(4))
    const procedures = worker.procedures<{ commitAndStop(db: unknown, flags: object): void }>(
      moduleOf(`export function commitAndStop(db, memory) {
        db.exec('INSERT INTO t VALUES (1); COMMIT')
        const flags = new Int32Array(memory)
        Atomics.store(flags, 0, 1)
        Atomics.wait(flags, 0, 1)
      }`),
    )
    const call = procedures.commitAndStop(flags.buffer)
    const rejected = expect(call).rejects.toMatchObject(died(true))
    await eventually(() => expect(Atomics.load(flags, 0)).toBe(1))
    await killWriter(worker)
    await rejected
    expect(await numbers(worker)).toEqual([1])
  })

  it('reads on threads of their own, streams and copies go on', async () => {
    const worker = await withTable({ readers: 1 })
    await worker.execute(`INSERT INTO t ${ROWS}`, [20_000])
    const rows = worker.stream('SELECT n FROM t')
    await rows.next()
    const counted = worker.execute<{ n: number }>(COUNT_UP, [300_000], { consistency: 'eager' })
    const copied = worker.backup(temporaryFile())
    await killWriter(worker)
    let count = 1
    for await (const row of rows) count += Object.keys(row).length
    expect(count).toBe(20_000)
    expect(await counted).toEqual([{ n: 300_000 }])
    await copied
    expect(worker.stats().readers.restarts).toBe(0)
  })

  it('a copy that went through it rejects, and the next one works', async () => {
    const worker = await withTable()
    await worker.execute('CREATE TEMP TABLE mine (n)') // so that only the writer sees all of it
    await worker.execute(`INSERT INTO t SELECT zeroblob(3000) FROM (${ROWS})`, [3000])
    const copied = worker.backup(temporaryFile(), { progress: () => void killWriter(worker) })
    await expect(copied).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
    await worker.backup(temporaryFile())
    expect(worker.queueSize).toBe(0)
  })
})

describe('the next thread', () => {
  it('has executeInit and settings again, on the writer and on readers', async () => {
    const worker = await withTable({
      readers: 1,
      synchronous: 'EXTRA',
      executeInit: ['PRAGMA cache_size = 123; CREATE TEMP VIEW IF NOT EXISTS v AS SELECT 5 AS five'],
    })
    await killWriter(worker)
    expect(await worker.execute('PRAGMA synchronous')).toEqual([{ synchronous: 3 }])
    expect(await worker.execute('PRAGMA cache_size')).toEqual([{ cache_size: 123 }])
    expect(await worker.execute('SELECT five FROM v')).toEqual([{ five: 5 }])
    const other = await withTable({ readers: 1, executeInit: ['PRAGMA case_sensitive_like = 1'] })
    await killReader(other)
    expect(await other.execute("SELECT 'a' LIKE 'A' AS same")).toEqual([{ same: 0 }])
  })

  it('knows every module of procedures, those that cannot be imported included', async () => {
    const worker = await withTable()
    const [one, two] = [1, 2].map((n) =>
      worker.procedures<{ add(db: unknown): void }>(
        moduleOf(`await new Promise((resolve) => setImmediate(resolve))
          export const add = (db) => void db.prepare('INSERT INTO t VALUES (${n})').run()`),
      ),
    )
    const broken = worker.procedures<{ add(db: unknown): void }>(moduleOf('nonsense nonsense'))
    await one?.add()
    for (let kill = 0; kill < 2; kill++) {
      await killWriter(worker)
      await Promise.all([one?.add(), two?.add()])
      await expect(broken.add()).rejects.toMatchObject({ code: 'ERR_PROCEDURE' })
    }
    expect(await numbers(worker)).toEqual([1, 1, 2, 1, 2])
  })

  it('runs statements that were prepared before, and shows their columns', async () => {
    const worker = await withTable({ readers: 1 })
    const run = async (n: number): Promise<unknown> => {
      await worker.execute('INSERT INTO t VALUES (?)', [n])
      await worker.batch([{ sql: 'UPDATE t SET n = n + ?', params: [1] }])
      return [
        await worker.execute('SELECT n FROM t'),
        await worker.execute('SELECT n AS m FROM t', [], { consistency: 'writer' }),
        await worker.execute('INSERT INTO t VALUES (?) RETURNING n', [0]),
        await worker.execute('DELETE FROM t', []),
      ]
    }
    const expected = (n: number): unknown => [
      [{ n: n + 1 }],
      [{ m: n + 1 }],
      { changes: 1, lastInsertRowid: 2, rows: [{ n: 0 }] },
      { changes: 2, lastInsertRowid: 0 },
    ]
    expect(await run(1)).toEqual(expected(1))
    await killWriter(worker)
    expect(await run(2)).toEqual(expected(2))
    await killReader(worker)
    expect(await run(3)).toEqual(expected(3))
  })

  it('groups commits again, and tells hooks and transactions as before', async () => {
    const worker = await withTable()
    const told: unknown[] = []
    worker.registerHook('on_insert', ({ table }) => told.push(table))
    await killWriter(worker)
    await Promise.all(Array.from({ length: 50 }, (_, n) => worker.insert('t', { n })))
    expect(worker.stats().writer.groupSize.max).toBeGreaterThan(1)
    expect(told).toHaveLength(50)
  })

  it('goes on with a database that only the writer sees', async () => {
    const worker = await withTable()
    const ranOn = connectionsOf()
    await worker.execute('CREATE TEMP TABLE mine (n)')
    await killWriter(worker)
    await worker.execute('SELECT n FROM t')
    expect(ranOn('SELECT n FROM t')).toBe('writer')
    await expect(worker.execute('SELECT n FROM mine')).rejects.toThrow('no such table') // it was the thread's
  })
})

describe('the wait before a restart', () => {
  it('doubles from retryDelay on while no thread answers, until maxRetries', async () => {
    const messages = published<RestartMessage>('restart')
    const worker = openWorker({ workerUrl: DYING, maxRetries: 4, retryDelay: 0.003 })
    const calls = Promise.allSettled(Array.from({ length: 6000 }, (_, n) => worker.insert('t', { n })))
    for (const outcome of await calls) expect(outcome).toMatchObject({ reason: { code: 'ERR_WORKER_DIED' } })
    expect(messages.map(({ delayMs }) => delayMs)).toEqual([3, 6, 12, 24])
    expect(worker.stats().writer.restarts).toBe(4)
  })

  it('is the first one again after an answer', async () => {
    const messages = published<RestartMessage>('restart')
    const worker = await withTable({ retryDelay: 0.002, maxRetries: 1, readers: 1 })
    for (let n = 0; n < 4; n++) {
      await killWriter(worker)
      await worker.insert('t', { n })
    }
    expect(messages.map(({ delayMs }) => delayMs)).toEqual([2, 2, 2, 2])
  })

  it('is none with maxRetries 0, and there is no restart', async () => {
    const messages = published<RestartMessage>('restart')
    const worker = await withTable({ maxRetries: 0 })
    await killWriter(worker)
    await expect(worker.insert('t', { n: 1 })).rejects.toMatchObject(died(false))
    expect(messages).toEqual([])
    expect(worker.stats().writer.restarts).toBe(0)
  })
})

describe('a worker that stays down', () => {
  it('rejects every kind of call with why, at once, and can be closed', async () => {
    const worker = await withTable({ autoReconnect: false })
    await worker.select('t')
    await killWriter(worker)
    const calls = [
      () => worker.execute('SELECT 1'),
      () => worker.insert('t', { n: 1 }),
      () => worker.batch([{ sql: 'SELECT 1' }]),
      () => worker.executeScript('SELECT 1'),
      () => worker.stream('SELECT 1').next(),
      () => worker.transaction(() => 1),
      () => worker.beginTransaction(),
      () => worker.backup(temporaryFile()),
      () => worker.integrityCheck(),
      () => worker.procedures<{ f(db: unknown): void }>(moduleOf('')).f(),
    ]
    for (const call of calls)
      await expect(Promise.resolve(call()), call.toString()).rejects.toMatchObject({
        ...died(false),
        cause: expect.any(Error) as Error,
      })
    expect(worker.queueSize).toBe(0)
    await worker.whenReady()
    await worker.close()
  })

  it('rejects what waited, open transactions and those behind them', async () => {
    const worker = await withTable({ autoReconnect: false })
    const begun = gate()
    const open = worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      begun.open()
      await new Promise(() => {})
    })
    const outcomes = Promise.allSettled([
      open,
      worker.transaction((tx) => tx.insert('t', { n: 2 })),
      worker.beginTransaction(),
      worker.insert('t', { n: 3 }),
      worker.select('t'),
      worker.stream('SELECT 1').next(),
      worker.backup(temporaryFile()),
    ])
    await begun.opened
    await killWriter(worker)
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: died(false) })
    expect(worker.queueSize).toBe(0)
  })

  it('because its file is no database any more says that', async () => {
    const file = temporaryFile()
    const messages = published<RestartMessage>('restart')
    const worker = await withTable({ file, maxRetries: 2, retryDelay: 0.001 })
    await worker.checkpoint('TRUNCATE')
    writeFileSync(file, 'no database any more '.repeat(1000))
    await killWriter(worker)
    await expect(worker.insert('t', { n: 1 })).rejects.toMatchObject({
      code: 'ERR_OPEN',
      sqliteCode: 'SQLITE_NOTADB',
    })
    expect(messages).toMatchObject([{ delayMs: 1 }, { delayMs: 2, cause: { code: 'ERR_OPEN' } }])
    await expect(worker.insert('t', { n: 1 })).rejects.toMatchObject({ code: 'ERR_OPEN' })
  })

  it('because its only reader may not come back still writes, and reads on the writer where told to', async () => {
    const worker = await withTable({ autoReconnect: false, readers: 1 })
    await worker.select('t')
    const read = worker.execute(COUNT_UP, [6_000_000])
    const rejected = expect(read).rejects.toMatchObject(died(false))
    await eventually(() => expect(worker.stats().readers.underWay).toBe(1))
    await killReader(worker)
    await rejected
    await expect(worker.select('t')).rejects.toMatchObject(died(false))
    await worker.insert('t', { n: 1 })
    expect(await worker.select('t', {}, { consistency: 'writer' })).toEqual([{ n: 1 }])
    expect(await worker.transaction((tx) => tx.select('t'))).toEqual([{ n: 1 }])
    expect(worker.queueSize).toBe(0)
  })
})

describe('when a reader is killed', () => {
  it('a long result under way is read again, and comes once', async () => {
    const worker = await withTable({ readers: 1 })
    await worker.select('t')
    for (let round = 0; round < 3; round++) {
      const rows = worker.execute<{ i: number }>(ROWS, [200_000])
      await eventually(() => expect(worker.stats().readers.underWay).toBe(1))
      await killReader(worker)
      const read = await rows
      expect(read).toHaveLength(200_000)
      expect(read.at(-1)).toEqual({ i: 200_000 })
    }
    expect(worker.stats().readers.restarts).toBe(3)
  })

  it('a read that was given up is not run again, and its neighbours run once', async () => {
    const worker = await withTable({ readers: 1 })
    await worker.select('t')
    const controller = new AbortController()
    const read = worker.execute(ROWS, [1e12], { signal: controller.signal })
    const neighbours = [1, 2, 3].map((one) => worker.execute('SELECT ? AS one', [one]))
    const aborted = expect(read).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await eventually(() => expect(worker.stats().readers.underWay).toBeGreaterThan(0))
    controller.abort()
    await killReader(worker)
    await aborted
    expect(await Promise.all(neighbours)).toEqual([[{ one: 1 }], [{ one: 2 }], [{ one: 3 }]])
    await pause(200) // by then it would have been found not to stop
    expect(await worker.select('t')).toEqual([])
    expect(worker.queueSize).toBe(0)
    const { operations, failures, threads } = worker.stats().readers
    expect([operations + failures, threads]).toEqual([6, 1])
  })
})
