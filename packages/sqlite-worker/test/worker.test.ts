import { mkdirSync, writeFileSync } from 'node:fs'
import { spawnChild } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { isSqliteWorkerError, SqliteWorker, Token } from '../src/index.ts'
import { openWorker, temporaryFile, workerUrl } from './fixture.ts'

describe('tokens', () => {
  it('resolve in the order of the calls, whether awaited or fetched', async () => {
    const worker = openWorker()
    const order: number[] = []
    void worker.execute('CREATE TABLE t (n)')
    const tokens = [1, 2, 3].map((n) => worker.insert('t', { n }))
    await Promise.all(tokens.map((token, i) => worker.fetchResults(token).then(() => order.push(i))))
    expect(order).toEqual([0, 1, 2])
    expect(await worker.executeAndFetch('SELECT n FROM t')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    await expect(worker.fetchResults('x' as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })

  it('reject with errors, never resolve with them', async () => {
    const worker = openWorker()
    await expect(worker.execute('SELECT * FROM missing')).rejects.toMatchObject({
      name: 'StatementError',
      code: 'ERR_STATEMENT',
      sqliteCode: 'SQLITE_ERROR',
      sql: 'SELECT * FROM missing',
    })
    await expect(worker.execute('SELECT 1; SELECT 2')).rejects.toThrow('more than one statement')
    await expect(worker.execute(5 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })

  it('report an error that nobody awaited once, and still reject when awaited later', async () => {
    const reported: unknown[] = []
    const worker = openWorker({ onUnobservedError: (error) => reported.push(error) })
    const dropped = worker.execute('nonsense')
    await worker.execute('SELECT 1')
    await new Promise((resolve) => setImmediate(resolve))
    expect(reported).toMatchObject([{ code: 'ERR_STATEMENT' }])
    await expect(dropped).rejects.toBe(reported[0])
    await worker.close()
    expect(reported).toHaveLength(1)
  })

  it('whose error is awaited are not reported', async () => {
    const reported: unknown[] = []
    const worker = openWorker({ onUnobservedError: (error) => reported.push(error) })
    const caught = await worker.execute('nonsense').catch((error: unknown) => error)
    await worker.close()
    expect(isSqliteWorkerError(caught)).toBe(true)
    expect(reported).toEqual([])
  })

  it('can be waited for with finally', async () => {
    const worker = openWorker()
    const token = worker.execute('SELECT 1 AS one')
    expect(token).toBeInstanceOf(Token)
    let done = false
    expect(await token.finally(() => (done = true))).toEqual([{ one: 1 }])
    expect(done).toBe(true)
  })
})

describe('statements', () => {
  it('are prepared when they run, so that a table may be made just before', async () => {
    const worker = openWorker()
    void worker.execute('CREATE TABLE t (a)')
    void worker.insert('t', { a: 1 })
    const before = worker.execute('SELECT * FROM t', [], { consistency: 'writer' })
    void worker.execute('ALTER TABLE t ADD COLUMN b')
    expect(await before).toEqual([{ a: 1 }])
    expect(await worker.execute('SELECT * FROM t')).toEqual([{ a: 1, b: null }])
  })

  it('used by a batch that also makes the thread forget them still run', async () => {
    const worker = openWorker()
    await Promise.all(Array.from({ length: 500 }, (_, i) => worker.execute(`SELECT ${i} AS n`)))
    const first = worker.execute('SELECT 0 AS n')
    for (let i = 0; i < 511; i++) void worker.execute(`SELECT ${1000 + i} AS n`)
    expect(await first).toEqual([{ n: 0 }])
  })

  it('without or with several statements in their text are refused as such', async () => {
    const worker = openWorker()
    for (const sql of ['', '-- nothing', ';', 'SELECT 1; SELECT 2']) {
      await expect(worker.execute(sql)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    }
  })

  it('more than the thread keeps prepared all run', async () => {
    const worker = openWorker()
    const texts = Array.from({ length: 2500 }, (_, i) => `SELECT ${i} AS n`)
    const rows = await Promise.all([...texts, ...texts].map((sql) => worker.execute<{ n: number }>(sql)))
    expect(rows.map(([row]) => row?.n)).toEqual([...texts.keys(), ...texts.keys()])
  })
})

describe('columns', () => {
  it('are named as they are at the time of the read, also after a rollback', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE t (a, b)')
    await worker.insert('t', { a: 1, b: 2 })
    await worker.select('t')
    const failed = worker.transaction(async (tx) => {
      void tx.execute('ALTER TABLE t DROP COLUMN a')
      expect(await tx.select('t')).toEqual([{ b: 2 }])
      throw new Error('undo')
    })
    await expect(failed).rejects.toThrow('undo')
    expect(await worker.select('t')).toEqual([{ a: 1, b: 2 }])
  })
})

describe('close', () => {
  it('waits for what was queued, and refuses what comes later', async () => {
    const file = temporaryFile()
    const worker = openWorker({ file })
    void worker.execute('CREATE TABLE t (n)')
    for (let n = 0; n < 2000; n++) void worker.insert('t', { n })
    const inTransaction = worker.transaction(async (tx) => {
      await tx.insert('t', { n: -1 })
      await new Promise((resolve) => setImmediate(resolve))
      await tx.insert('t', { n: -2 })
    })
    const closed = worker.close()
    await expect(worker.insert('t', { n: 0 })).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await expect(worker.transaction(() => 1)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await inTransaction
    await closed
    await worker.close()
    const db = new Database(file)
    expect(db.prepare('SELECT COUNT(*) AS n FROM t').get()).toEqual({ n: 2002 })
    db.close()
  })

  it('ends with await using', async () => {
    const worker = openWorker()
    await worker.execute('SELECT 1')
    await worker[Symbol.asyncDispose]()
    await expect(worker.execute('SELECT 1')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })
})

describe('opening', () => {
  it('of a file that is no database makes every call reject with the reason', async () => {
    const file = temporaryFile()
    writeFileSync(file, 'this is not a database, and long enough to be told apart'.repeat(20))
    const worker = openWorker({ file })
    await expect(worker.execute('SELECT 1')).rejects.toMatchObject({
      code: 'ERR_OPEN',
      sqliteCode: 'SQLITE_NOTADB',
    })
    await expect(worker.execute('SELECT 1')).rejects.toMatchObject({ code: 'ERR_OPEN' })
    await expect(worker.transaction(() => 1)).rejects.toMatchObject({ code: 'ERR_OPEN' })
  })

  it('of a folder, or with an init statement that fails, does too', async () => {
    const folder = `${temporaryFile()}-folder`
    mkdirSync(folder)
    await expect(openWorker({ file: folder }).execute('SELECT 1')).rejects.toMatchObject({ code: 'ERR_OPEN' })
    const worker = openWorker({ executeInit: ['nonsense'] })
    await expect(worker.execute('SELECT 1')).rejects.toThrow('syntax error')
  })

  it('applies WAL, synchronous and executeInit', async () => {
    const worker = openWorker({
      synchronous: 'FULL',
      executeInit: ['CREATE TABLE a (x); CREATE TABLE b (y)'],
    })
    expect(await worker.execute('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }])
    expect(await worker.execute('PRAGMA synchronous')).toEqual([{ synchronous: 2 }])
    expect(await worker.execute('SELECT COUNT(*) AS n FROM sqlite_schema')).toEqual([{ n: 2 }])
  })

  it.each([
    [{ synchronus: 'FULL' }, 'Unknown option "synchronus"; did you mean "synchronous"?'],
    [{ maxCount: 0 }, 'Expected maxCount to be an integer from 1 to 512, got 0 (number)'],
    [{ busyTimeoutMs: '5' }, 'Expected busyTimeoutMs to be an integer from 0 to 2147483647, got string'],
    [{ executeInit: 'PRAGMA x' }, 'Expected executeInit to be an array of SQL strings, got string'],
    [null, 'Expected options to be an object, got null'],
  ])('refuses options that do not fit: %j', (options, message) => {
    const open = (): unknown => new SqliteWorker(':memory:', options as never)
    expect(open).toThrow(TypeError)
    expect(open).toThrow(message)
  })

  it('refuses a file name that is none', () => {
    expect(() => new SqliteWorker('')).toThrow('Expected file to be a non-empty path')
  })
})

describe('the thread', () => {
  it('does not keep a process alive that has nothing left to do', async () => {
    const program = new URL('./fixtures/idle.ts', import.meta.url)
    for (const use of ['never', 'once']) {
      const child = spawnChild(program, { args: [temporaryFile(), workerUrl().href, use] })
      expect(await child.exited).toMatchObject({ code: 0, stdout: 'end\n' })
    }
  })

  it('that dies rejects what is under way and all that comes, instead of hanging', async () => {
    const dying = new URL(
      `data:text/javascript,import{parentPort}from'node:worker_threads';parentPort.once('message',()=>process.exit(3))`,
    )
    const worker = openWorker({ workerUrl: dying, autoReconnect: false })
    const underWay = worker.execute('DELETE FROM t')
    const transaction = worker.transaction((tx) => tx.execute('SELECT 1'))
    await expect(underWay).rejects.toMatchObject({ code: 'ERR_WORKER_DIED', maybeCommitted: true })
    await expect(transaction).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
    await expect(worker.execute('SELECT 1')).rejects.toMatchObject({
      code: 'ERR_WORKER_DIED',
      maybeCommitted: false,
    })
  })
})
