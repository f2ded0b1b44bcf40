import { linkSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { eventually, spawnChild, type TestChild } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type {
  BackupProgress,
  OperationMessage,
  RestartMessage,
  SqliteWorker,
  SqliteWorkerOptions,
  TransactionMessage,
} from '../src/index.ts'
import { killReader, killWriter } from '../src/testing/index.ts'
import { gate, openWorker, temporaryFile, workerUrl } from './fixture.ts'
import { blockWriter, published } from './fixtures/observe.ts'
import { COUNT_UP, ROWS } from './fixtures/sql.ts'

type Options = SqliteWorkerOptions & { file?: string }

async function withTable(options: Options = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (n UNIQUE, data)')
  return worker
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
const closed = { code: 'ERR_CLOSED' }
const none = { count: 0, mean: 0, p50: 0, p99: 0, max: 0 }

/** Reads a file on a connection of its own. */
function readFile<T>(file: string, sql: string): T[] {
  const db = new Database(file)
  onTestFinished(() => void db.close())
  return db.prepare<[], T>(sql).pluck().all()
}

describe('stats', () => {
  it('are zero before anything was called', async () => {
    const idle = { operations: 0, failures: 0, waitMs: none, runMs: none, underWay: 0, restarts: 0 }
    expect(openWorker().stats()).toEqual({
      queueSize: 0,
      queueBytes: 0,
      writer: { ...idle, groupSize: none },
      readers: { ...idle, threads: 0 },
      streams: 0,
      fileBytes: 0,
      walBytes: 0,
    })
  })

  it('count each call once by where it ran, and failures among them', async () => {
    const worker = await withTable({ readers: 1 })
    const outcomes = await Promise.allSettled([
      worker.insert('t', { n: 1 }),
      worker.insert('t', { n: 1 }),
      worker.execute('nonsense'),
      worker.batch([{ sql: 'INSERT INTO t (n) VALUES (2)' }, { sql: 'INSERT INTO t (n) VALUES (3)' }]),
      worker.executeScript('INSERT INTO t (n) VALUES (4); INSERT INTO t (n) VALUES (5)'),
      worker.transaction((tx) => Promise.all([tx.insert('t', { n: 6 }), tx.insert('t', { n: 7 })])),
      worker.execute('SELECT 1', [], { consistency: 'writer' }),
    ])
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2)
    await worker.select('t')
    await worker.select('missing').catch(() => {})
    await worker.execute('SELECT ?', []).catch(() => {})
    await worker.insert('t', { n: undefined as never }).catch(() => {}) // refused before it is queued
    expect(worker.stats()).toMatchObject({
      queueSize: 0,
      queueBytes: 0,
      writer: { operations: 7, failures: 2, underWay: 0 }, // with CREATE TABLE, and the two of the transaction
      readers: { operations: 1, failures: 2, underWay: 0, threads: 1 },
    })
  })

  it('tell how long things waited and ran, by message', async () => {
    const worker = await withTable({ readers: 1 })
    for (let n = 0; n < 10; n++) await worker.insert('t', { n })
    await Promise.all(upTo(20).map(() => worker.select('t')))
    const { writer, readers } = worker.stats()
    expect([writer.waitMs.count, writer.runMs.count]).toEqual([11, 11])
    expect(readers.waitMs.count).toBe(readers.runMs.count)
    expect(readers.runMs.count).toBeGreaterThan(0)
    for (const { mean, p50, p99, max } of [writer.waitMs, writer.runMs, readers.waitMs, readers.runMs]) {
      expect(p50).toBeGreaterThan(0)
      expect(p99).toBeGreaterThanOrEqual(p50)
      expect(max).toBeGreaterThanOrEqual(mean)
    }
  })

  it('tell how long a statement ran that took its time', async () => {
    const worker = openWorker()
    const start = performance.now()
    await worker.execute(COUNT_UP, [300_000], { consistency: 'writer' })
    const tookMs = performance.now() - start
    const { waitMs, runMs } = worker.stats().writer
    expect(runMs.max).toBeGreaterThan(1)
    expect(waitMs.max + runMs.max).toBeLessThanOrEqual(tookMs + 1)
  })

  it('tell how many writes shared each commit', async () => {
    const worker = await withTable()
    await Promise.all(upTo(40).map((n) => worker.insert('t', { n })))
    await worker.insert('t', { n: -1 }) // alone, so in no group
    const { groupSize } = worker.stats().writer
    expect(groupSize.count * groupSize.mean).toBeCloseTo(40)
    expect(groupSize.max).toBeGreaterThan(1)
  })

  it('show what waits and what is under way', async () => {
    const worker = await withTable()
    const block = await blockWriter(worker)
    const data = 'x'.repeat(5000)
    const first = worker.insert('t', { n: 1, data })
    await turn()
    const rest = Array.from({ length: 5 }, (_, n) => worker.insert('t', { n: n + 2, data }))
    await turn()
    const { queueSize, queueBytes, writer } = worker.stats()
    expect([queueSize, worker.queueSize, writer.underWay]).toEqual([7, 7, 2])
    expect(queueBytes).toBeGreaterThanOrEqual(6 * 5000)
    await block.release()
    await Promise.all([first, ...rest])
    expect(worker.stats()).toMatchObject({ queueSize: 0, queueBytes: 0, writer: { underWay: 0 } })
  })

  it('count restarts of either kind of thread, and streams and copies that are open', async () => {
    const worker = await withTable({ readers: 1, retryDelay: 0 })
    await killWriter(worker)
    await worker.insert('t', { n: 1 })
    await worker.select('t')
    for (let kill = 0; kill < 2; kill++) {
      await killReader(worker)
      await worker.select('t')
    }
    expect(worker.stats()).toMatchObject({ writer: { restarts: 1 }, readers: { restarts: 2 }, streams: 0 })
    const rows = worker.stream(ROWS, [1e12])
    await rows.next()
    expect(worker.stats().streams).toBe(1)
    let open = 0
    await worker.backup(temporaryFile(), { progress: () => (open = Math.max(open, worker.stats().streams)) })
    expect(open).toBe(2)
    await rows.return?.()
    await eventually(() => expect(worker.stats().streams).toBe(0))
  })

  it('give the sizes of the files as they are', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    await worker.insert('t', { n: 1, data: 'x'.repeat(100_000) })
    const { fileBytes, walBytes } = worker.stats()
    expect([fileBytes, walBytes]).toEqual([statSync(file).size, statSync(`${file}-wal`).size])
    expect(walBytes).toBeGreaterThan(100_000)
    await worker.checkpoint('TRUNCATE')
    expect(worker.stats()).toMatchObject({ fileBytes: statSync(file).size, walBytes: 0 })
    expect(worker.stats().fileBytes).toBeGreaterThan(100_000)
    const memory = await withTable({ file: ':memory:' })
    expect(memory.stats()).toMatchObject({ fileBytes: 0, walBytes: 0 })
  })
})

describe('onSlowQuery', () => {
  async function slowLog(options: Options = {}): Promise<{ worker: SqliteWorker; slow: OperationMessage[] }> {
    const slow: OperationMessage[] = []
    const worker = openWorker({ slowQueryMs: 5, onSlowQuery: (query) => slow.push(query), ...options })
    return { worker, slow }
  }
  const SLOW = 2_000_000

  it('is told of statements that ran longer: the text, the time, the connection, the file', async () => {
    const file = temporaryFile()
    const { worker, slow } = await slowLog({ file })
    await worker.execute(COUNT_UP, [SLOW])
    await worker.execute(COUNT_UP, [SLOW], { consistency: 'writer' })
    await turn()
    const told = slow.filter(({ sql }) => sql === COUNT_UP)
    expect(told).toEqual([
      { file, connection: 'reader', sql: COUNT_UP, durationMs: expect.any(Number) as number },
      { file, connection: 'writer', sql: COUNT_UP, durationMs: expect.any(Number) as number },
    ])
    for (const { durationMs } of slow) expect(durationMs).toBeGreaterThanOrEqual(5)
  })

  it('never gets to see parameters', async () => {
    const { worker, slow } = await slowLog()
    const sql = `SELECT :secret AS s, (${COUNT_UP.replace('?', ':n')}) AS n`
    await worker.execute(sql, { secret: 'hunter2', n: SLOW })
    await worker.transaction((tx) => tx.execute(sql, { secret: 'hunter2', n: SLOW }))
    await worker.batch([{ sql, params: { secret: 'hunter2', n: SLOW } }])
    await turn()
    expect(slow.filter((query) => query.sql === sql)).toHaveLength(2)
    expect(slow.some((query) => query.sql === undefined)).toBe(true) // a batch has no text of its own
    expect(JSON.stringify(slow)).not.toContain('hunter2')
  })

  it('is told of slow statements that failed, too', async () => {
    const { worker, slow } = await slowLog()
    const sql = `SELECT abs(-9223372036854775807 - (${COUNT_UP}) / (${COUNT_UP}))`
    await expect(worker.execute(sql, [SLOW, SLOW])).rejects.toMatchObject({ code: 'ERR_STATEMENT' })
    await turn()
    expect(slow).toMatchObject([{ sql }])
  })

  it('is told of everything with 0, of nothing by default, and of no fast ones', async () => {
    const all = await slowLog({ slowQueryMs: 0 })
    await all.worker.execute('CREATE TABLE t (n)')
    await all.worker.insert('t', { n: 1 })
    const fast = await slowLog({ slowQueryMs: 60_000 })
    const never = await slowLog({ slowQueryMs: Infinity })
    for (const { worker } of [fast, never]) await worker.execute(COUNT_UP, [SLOW])
    await turn()
    expect(all.slow.map(({ sql }) => sql)).toEqual(['CREATE TABLE t (n)', expect.stringMatching(/^INSERT/)])
    expect([fast.slow, never.slow]).toEqual([[], []])
  })

  it('belongs to no transaction, whoever ran the statement', async () => {
    const worker: SqliteWorker = openWorker({
      slowQueryMs: 5,
      onSlowQuery: () => insides.push(worker.isInTransaction),
    })
    const insides: boolean[] = []
    await worker.transaction((tx) => tx.execute(COUNT_UP, [SLOW]))
    await turn()
    expect(new Set(insides)).toEqual(new Set([false]))
  })
})

describe('the channel', () => {
  it('operation tells what ran where and how long, only while someone listens', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    await worker.insert('t', { n: 0 })
    const messages = published<OperationMessage>('operation')
    await worker.execute('INSERT INTO t (n) VALUES (?)', [41])
    await worker.execute('SELECT n FROM t')
    await worker.execute('INSERT INTO t (n) VALUES (?)', [41]).catch(() => {})
    await worker.batch([{ sql: 'SELECT 1' }])
    const durationMs = expect.any(Number) as number
    expect(messages).toEqual([
      { file, connection: 'writer', sql: 'INSERT INTO t (n) VALUES (?)', durationMs },
      { file, connection: 'reader', sql: 'SELECT n FROM t', durationMs },
      { file, connection: 'writer', sql: 'INSERT INTO t (n) VALUES (?)', durationMs },
      { file, connection: 'writer', sql: undefined, durationMs },
    ])
    for (const message of messages) expect(message.durationMs).toBeGreaterThan(0)
  })

  it('transaction tells how each one ended, nested ones and attempts included', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    await worker.transaction((tx) => tx.insert('t', { n: 1 }))
    const messages = published<TransactionMessage>('transaction')
    await worker.transaction(() => 1)
    await worker
      .transaction(async (tx) => {
        await tx.transaction((inner) => inner.insert('t', { n: 2 }))
        throw new Error('undo')
      })
      .catch(() => {})
    const tx = await worker.beginTransaction()
    await tx.insert('t', { n: 3 })
    await tx.commit()
    await (await worker.beginTransaction()).rollback()
    const refused = await worker.beginTransaction()
    await refused.insert('t', { n: 3 }).catch(() => {})
    void refused.insert('t', { n: 3 })
    await expect(refused.commit()).rejects.toMatchObject({ code: 'ERR_STATEMENT' })
    const durationMs = expect.any(Number) as number
    expect(messages).toEqual(
      ['commit', 'commit', 'rollback', 'commit', 'rollback', 'rollback'].map((outcome) => ({
        file,
        outcome,
        durationMs,
      })),
    )
    for (const message of messages) expect(message.durationMs).toBeGreaterThanOrEqual(0)
  })

  it('restart tells which thread died of what, and when the next one starts', async () => {
    const file = temporaryFile()
    const messages = published<RestartMessage>('restart')
    const worker = await withTable({ file, retryDelay: 0.002, readers: 1 })
    await worker.select('t')
    expect(messages).toEqual([])
    await killWriter(worker)
    await worker.insert('t', { n: 1 })
    await killReader(worker)
    const cause = expect.any(Error) as Error
    expect(messages).toEqual([
      { file, connection: 'writer', cause, delayMs: 2 },
      { file, connection: 'reader', cause, delayMs: 2 },
    ])
    expect(await worker.select('t')).toHaveLength(1)
  })

  it('restart tells nothing of threads that end as they should', async () => {
    const messages = published<RestartMessage>('restart')
    const worker = await withTable()
    await worker.select('t')
    await worker.close()
    expect(messages).toEqual([])
  })
})

describe('backup', () => {
  it('is whole and of one moment while writes go on, with every write before it', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    await Promise.all(upTo(3000).map((n) => worker.insert('t', { n, data: 'x'.repeat(3000) })))
    const [path, seen] = [temporaryFile(), [] as Parameters<BackupProgress>[0][]]
    void worker.insert('t', { n: 3000 })
    const copying = new AbortController()
    const copied = worker.backup(path, { progress: (progress) => seen.push(progress) })
    const ended = copied.finally(() => copying.abort())
    let n = 3001
    for (; !copying.signal.aborted; n++) await worker.insert('t', { n })
    await ended
    const rows = readFile<number>(path, 'SELECT n FROM t ORDER BY n')
    expect(rows).toEqual(upTo(rows.length))
    expect(rows.length).toBeGreaterThan(3000)
    expect(rows.length).toBeLessThan(n)
    expect(readFile(path, 'PRAGMA integrity_check')).toEqual(['ok'])
    expect(await worker.execute('SELECT COUNT(*) AS n FROM t')).toEqual([{ n }])

    const remaining = seen.map(({ remainingPages }) => remainingPages)
    expect(remaining).toEqual(remaining.toSorted((a, b) => b - a))
    expect([remaining.length > 2, remaining.at(-1)]).toEqual([true, 0])
    const [pages] = readFile<number>(path, 'PRAGMA page_count')
    expect(new Set(seen.map(({ totalPages }) => totalPages))).toEqual(new Set([pages]))
  })

  it('opens as a database of its own, and can be written to', async () => {
    const worker = await withTable()
    await worker.insert('t', { n: 1 })
    const path = temporaryFile()
    await worker.backup(path)
    await worker.insert('t', { n: 2 })
    const copy = openWorker({ file: path })
    await copy.insert('t', { n: 3 })
    expect(await copy.select('t', { columns: ['n'], orderBy: 'n' })).toEqual([{ n: 1 }, { n: 3 }])
    expect(await worker.select('t', { columns: ['n'], orderBy: 'n' })).toEqual([{ n: 1 }, { n: 2 }])
  })

  it('of an empty database is one', async () => {
    const path = temporaryFile()
    await openWorker().backup(path)
    expect(readFile(path, 'SELECT name FROM sqlite_schema')).toEqual([])
  })

  it('of a database in memory waits for its turn, and what follows goes on', async () => {
    const worker = await withTable({ file: ':memory:' })
    const path = temporaryFile()
    void worker.insert('t', { n: 1 })
    const transaction = worker.transaction((tx) => tx.insert('t', { n: 2 }))
    const copied = worker.backup(path)
    const later = worker.insert('t', { n: 3 })
    await Promise.all([transaction, copied, later])
    expect(readFile(path, 'SELECT n FROM t ORDER BY n')).toEqual([1, 2])
    expect(await worker.select('t')).toHaveLength(3)
  })

  it('of a database with temporary tables is of the file alone', async () => {
    const worker = await withTable()
    await worker.execute('CREATE TEMP TABLE mine (n)')
    const path = temporaryFile()
    await worker.backup(path)
    expect(readFile(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")).toEqual(['t'])
  })

  it('replaces what an existing copy holds', async () => {
    const path = temporaryFile()
    const older = new Database(path)
    older.exec('CREATE TABLE old (n); INSERT INTO old VALUES (zeroblob(100000))')
    older.close()
    const worker = await withTable()
    await worker.backup(path)
    await worker.insert('t', { n: 1 })
    await worker.backup(path)
    expect(readFile(path, 'SELECT name FROM sqlite_schema WHERE sql IS NOT NULL')).toEqual(['t'])
    expect(readFile(path, 'SELECT n FROM t')).toEqual([1])
  })

  it.each(['a file', ':memory:'])(
    'of %s that cannot be written rejects, and the next one works',
    async (kind) => {
      const worker = await withTable({ file: kind === ':memory:' ? kind : temporaryFile() })
      const path = temporaryFile()
      mkdirSync(`${path}.folder`)
      writeFileSync(`${path}.text`, 'no database '.repeat(1000))
      const statement = (sqliteCode: string): object => ({ code: 'ERR_STATEMENT', sqliteCode })
      await expect(worker.backup(`${path}.folder`)).rejects.toMatchObject(statement('SQLITE_CANTOPEN'))
      await expect(worker.backup(`${path}.text`)).rejects.toMatchObject(statement('SQLITE_NOTADB'))
      expect(readFileSync(`${path}.text`, 'utf8')).toBe('no database '.repeat(1000))
      await expect(worker.backup(`${path}.missing/file`)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringContaining('directory does not exist') as string,
      })
      await worker.insert('t', { n: 1 })
      await worker.backup(path)
      expect(readFile(path, 'SELECT n FROM t')).toEqual([1])
      expect(worker.stats().streams).toBe(0)
    },
  )

  it.each([
    ['nothing', () => ''],
    ['no text', () => 5],
    ['two paths', (file: string) => `${file}.copy\0.db`],
    ['itself', (file: string) => file],
    ['itself with blanks around, which are no part of it', (file: string) => ` ${file} `],
    ['itself through a symbolic link', (file: string) => (symlinkSync(file, `${file}.link`), `${file}.link`)],
    ['itself through a hard link', (file: string) => (linkSync(file, `${file}.hard`), `${file}.hard`)],
  ])('onto %s is refused', async (_, pathOf) => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    await expect(worker.backup(pathOf(file) as string)).rejects.toMatchObject({
      name: 'UsageError',
      code: 'ERR_INVALID_ARGUMENT',
    })
    await expect(worker.backup(temporaryFile(), { progres: 1 } as never)).rejects.toThrow('"progress"')
    expect(worker.stats().streams).toBe(0)
  })

  it('rejects with what progress throws, and the next one works', async () => {
    const worker = await withTable()
    const progress = (): void => {
      throw new Error('not interested')
    }
    await expect(worker.backup(temporaryFile(), { progress })).rejects.toThrow('not interested')
    const path = temporaryFile()
    await worker.backup(path)
    expect(readFile(path, 'SELECT n FROM t')).toEqual([])
    await eventually(() => expect(worker.stats().streams).toBe(0))
  })

  it('is waited for by close, and refused after it', async () => {
    const worker = await withTable()
    const path = temporaryFile()
    const copied = worker.backup(path)
    await worker.close()
    await copied
    expect(readFile(path, 'SELECT n FROM t')).toEqual([])
    await expect(worker.backup(temporaryFile())).rejects.toMatchObject(closed)
  })

  it('inside a transaction is of what is committed', async () => {
    const worker = await withTable()
    const path = temporaryFile()
    await worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      await worker.backup(path)
    })
    expect(readFile(path, 'SELECT n FROM t')).toEqual([])
  })
})

describe('integrityCheck', () => {
  it('finds nothing in a sound file, and what is wrong in another', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    for (let n = 0; n < 200; n++) void worker.insert('t', { n, data: 'x'.repeat(500) })
    expect(await worker.integrityCheck()).toEqual([])
    await worker.close()
    const content = readFileSync(file)
    content.fill(0x5a, 3 * 4096, 6 * 4096)
    writeFileSync(file, content)
    const broken = openWorker({ file })
    const found = await broken.integrityCheck()
    expect(found.length).toBeGreaterThan(0)
    for (const text of found) expect(text).toMatch(/\w/)
  })

  it('finds an index that lacks a row', async () => {
    const file = temporaryFile()
    const db = new Database(file)
    db.exec('CREATE TABLE t (n); INSERT INTO t VALUES (1); CREATE INDEX t_n ON t (n)')
    db.unsafeMode(true)
    db.pragma('writable_schema = ON')
    db.exec("DELETE FROM sqlite_schema WHERE name = 't_n'")
    db.pragma('writable_schema = RESET')
    db.exec('INSERT INTO t VALUES (2)')
    db.pragma('writable_schema = ON')
    db.exec("INSERT INTO sqlite_schema VALUES ('index', 't_n', 't', 3, 'CREATE INDEX t_n ON t (n)')")
    db.close()
    expect(await openWorker({ file }).integrityCheck()).toContain('row 2 missing from index t_n')
  })

  it('rejects where there is no database to check', async () => {
    const file = temporaryFile()
    writeFileSync(file, 'no database '.repeat(1000))
    await expect(openWorker({ file }).integrityCheck()).rejects.toMatchObject({ code: 'ERR_OPEN' })
  })
})

describe('checkpoint', () => {
  it.each(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'] as const)('%s moves all of the log', async (mode) => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    await worker.insert('t', { n: 1, data: 'x'.repeat(50_000) })
    const { busy, logPages, checkpointedPages } = await worker.checkpoint(mode)
    expect([busy, checkpointedPages]).toEqual([false, logPages])
    expect(logPages > 10).toBe(mode !== 'TRUNCATE')
    expect(worker.stats().fileBytes).toBeGreaterThan(50_000)
    expect(worker.stats().walBytes === 0).toBe(mode === 'TRUNCATE')
  })

  it('is passive unless told otherwise, and says what a reader keeps it from', async () => {
    const worker = await withTable({ busyTimeoutMs: 0 })
    await worker.execute(`INSERT INTO t (n) ${ROWS}`, [20_000])
    const rows = worker.stream('SELECT n FROM t')
    onTestFinished(() => void rows.return?.())
    await rows.next()
    await worker.insert('t', { n: 0, data: 'x'.repeat(20_000) })
    expect(await worker.checkpoint()).toMatchObject({ busy: false })
    expect(await worker.checkpoint('TRUNCATE')).toMatchObject({ busy: true })
    expect(worker.stats().walBytes).toBeGreaterThan(20_000)
    await rows.return?.()
    await eventually(async () => expect((await worker.checkpoint('TRUNCATE')).busy).toBe(false))
    expect(worker.stats().walBytes).toBe(0)
  })

  it('says so where there is no log, and refuses other modes', async () => {
    const worker = openWorker({ file: ':memory:' })
    expect(await worker.checkpoint()).toEqual({ busy: false, logPages: -1, checkpointedPages: -1 })
    for (const mode of ['passive', 'FULL); DROP TABLE t; --'])
      await expect(worker.checkpoint(mode as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })
})

describe('close', () => {
  it('with drain: false rejects what waits, and ends what is under way as it would', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file, readers: 1 })
    await worker.select('t')
    const block = await blockWriter(worker)
    const sent = worker.insert('t', { n: 0 })
    await turn()
    const waiting = [
      worker.insert('t', { n: 1 }),
      worker.select('t'),
      worker.batch([{ sql: 'INSERT INTO t (n) VALUES (2)' }]),
      worker.transaction((tx) => tx.insert('t', { n: 3 })),
      worker.beginTransaction(),
      worker.backup(temporaryFile()),
    ]
    const outcomes = Promise.allSettled(waiting)
    const done = worker.close({ drain: false })
    await block.release()
    await done
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: closed })
    await sent
    expect(readFile(file, 'SELECT n FROM t')).toEqual([0])
  })

  it('with drain: false rolls an open transaction back', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    const [begun, goOn] = [gate(), gate()]
    const transaction = worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      begun.open()
      await goOn.opened
    })
    const rejected = expect(transaction).rejects.toMatchObject(closed)
    await begun.opened
    const byHand = worker.beginTransaction()
    const refused = expect(byHand).rejects.toMatchObject(closed)
    await worker.close({ drain: false })
    await Promise.all([rejected, refused])
    expect(readFile(file, 'SELECT n FROM t')).toEqual([])
    goOn.open()
  })

  it('waits for an open transaction and all behind it, and lets it go on', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    const goOn = gate()
    const transaction = worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      await goOn.opened
      await tx.insert('t', { n: 2 })
    })
    const behind = worker.insert('t', { n: 3 })
    let isClosed = false
    const done = worker.close().then(() => (isClosed = true))
    await turn()
    expect(isClosed).toBe(false)
    goOn.open()
    await Promise.all([transaction, behind, done])
    expect(readFile(file, 'SELECT n FROM t ORDER BY n')).toEqual([1, 2, 3])
  })

  it('ends after timeoutMs where a transaction does not', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    const [begun, never] = [gate(), gate()]
    const transaction = worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      begun.open()
      await never.opened
    })
    const outcomes = Promise.allSettled([transaction, worker.insert('t', { n: 2 }), worker.select('t')])
    await begun.opened
    await worker.close({ timeoutMs: 20 })
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: closed })
    expect(readFile(file, 'SELECT n FROM t')).toEqual([])
    never.open()
  })

  it('ends after timeoutMs where a thread is busy: what it ran may be committed, what waited is not', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    await blockWriter(worker)
    const sent = worker.insert('t', { n: 1 })
    await turn()
    const outcomes = Promise.allSettled([sent, worker.insert('t', { n: 2 })])
    await worker.close({ timeoutMs: 20 })
    expect(await outcomes).toMatchObject([
      { reason: { code: 'ERR_WORKER_DIED', maybeCommitted: true } },
      { reason: closed },
    ])
    expect(readFile(file, 'SELECT n FROM t')).toEqual([])
  })

  it('within timeoutMs does all that waits', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file })
    for (const n of upTo(2000)) void worker.insert('t', { n })
    await worker.close({ timeoutMs: 1e9 })
    expect(readFile(file, 'SELECT COUNT(*) FROM t')).toEqual([2000])
  })

  it('twice is one closing, also at once', async () => {
    const worker = await withTable()
    const calls = [worker.close(), worker.close({ drain: false }), worker[Symbol.asyncDispose]()]
    await Promise.all(calls)
    await worker.close()
  })

  it('before the first call, and while a thread is about to be started again, works', async () => {
    await openWorker().close()
    const worker = await withTable({ retryDelay: 3600 })
    await killWriter(worker)
    await worker.close()
    await expect(worker.insert('t', { n: 1 })).rejects.toMatchObject(closed)
  })

  it('leaves one file, without a log, however many connections there were', async () => {
    for (let round = 0; round < 5; round++) {
      const file = temporaryFile()
      const worker = await withTable({ file, readers: 2 })
      await worker.insert('t', { n: 1 })
      await Promise.all(upTo(200).map(() => worker.select('t')))
      const streams = [1, 2, 3].map(() => worker.stream('SELECT n FROM t'))
      for (const rows of streams) await rows.next()
      for (const rows of streams) await rows.return?.()
      await worker.close({ drain: round % 2 === 0 })
      expect(readdirSync(dirname(file))).toEqual([basename(file)])
      expect(worker.stats()).toMatchObject({ walBytes: 0, fileBytes: statSync(file).size })
    }
  })

  it('refuses options that do not fit, and its own transaction, and closes nothing then', async () => {
    const worker = await withTable()
    for (const options of [{ drain: 1 }, { timeoutMs: 0 }, { timeoutMs: -1 }, { timeout: 5 }])
      await expect(worker.close(options as never)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
    await worker.transaction(async (tx) => {
      await expect(worker.close()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_NESTED' })
      await tx.insert('t', { n: 1 })
    })
    expect(await worker.select('t')).toHaveLength(1)
  })
})

describe('after close', () => {
  it('every call rejects with ERR_CLOSED, and what only looks still works', async () => {
    const worker = await withTable()
    await worker.close()
    const calls = [
      () => worker.execute('SELECT 1'),
      () => worker.executeAndFetch('SELECT 1'),
      () => worker.insert('t', { n: 1 }),
      () => worker.update('t', { n: 1 }, {}, { all: true }),
      () => worker.delete('t', {}, { all: true }),
      () => worker.select('t'),
      () => worker.batch([{ sql: 'SELECT 1' }]),
      () => worker.executeScript('SELECT 1'),
      () => worker.stream('SELECT 1').next(),
      () => worker.procedures<{ f(db: unknown): void }>(new URL('data:text/javascript,')).f(),
      () => worker.transaction(() => 1),
      () => worker.beginTransaction(),
      () => worker.backup(temporaryFile()),
      () => worker.integrityCheck(),
      () => worker.checkpoint(),
      () => worker.getAppliedMigrations(),
    ]
    for (const call of calls) {
      await expect(Promise.resolve(call()), call.toString()).rejects.toMatchObject({
        name: 'ClosedError',
        ...closed,
      })
    }
    await worker.whenReady()
    expect(worker.queueSize).toBe(0)
    expect(worker.stats().writer.operations).toBe(1)
    expect(worker.isInTransaction).toBe(false)
  })
})

describe('a process', () => {
  const program = new URL('./fixtures/uses.ts', import.meta.url)
  const start = (use: string): TestChild => {
    const child = spawnChild(program, { args: [temporaryFile(), workerUrl().href, use, temporaryFile()] })
    onTestFinished(() => child[Symbol.asyncDispose]())
    return child
  }

  it.each([
    'read',
    'write',
    'transaction',
    'batch',
    'begin',
    'backup',
    'memory-backup',
    'restart',
    'max-wait',
    'close',
  ])(
    'lives until the first answer when all it does is %s, and ends then, with its worker open',
    async (use) => {
      expect(await start(use).exited).toMatchObject({ code: 0, stdout: 'end\n', stderr: '' })
    },
  )

  // the process itself ends no sooner than the native call, which nothing can stop
  it('goes on when a read cannot be stopped: it is left alone, and the next one has its answer', async () => {
    const child = start('wedged')
    await Promise.race([
      eventually(() => expect(child.stdout).toBe('end\n'), { timeoutMs: 15_000 }),
      child.exited,
    ])
    expect(child.stdout).toBe('end\n')
  })

  it('is not held up by close({ timeoutMs }) when a read cannot be stopped, which rejects', async () => {
    const child = start('close-stuck')
    const output = 'ERR_WORKER_DIED\nend\n'
    await Promise.race([
      eventually(() => expect(child.stdout).toBe(output), { timeoutMs: 15_000 }),
      child.exited,
    ])
    expect(child.stdout).toBe(output)
  })
})
