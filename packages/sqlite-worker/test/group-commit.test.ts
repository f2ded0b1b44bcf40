import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { openWorker, temporaryFile } from './fixture.ts'

describe('group commit', () => {
  it('does not accept a child because another caller brought its parent along', async () => {
    const worker = openWorker({ executeInit: ['PRAGMA foreign_keys = ON'] })
    await worker.execute('CREATE TABLE p (id INTEGER PRIMARY KEY)')
    await worker.execute('CREATE TABLE c (pid INT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)')
    const child = worker.insert('c', { pid: 1 })
    const parent = worker.insert('p', { id: 1 })
    await expect(child).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
    await parent
    await worker.insert('c', { pid: 1 })
    expect(await worker.select('c')).toEqual([{ pid: 1 }])
  })

  it('sees a schema that another process changed meanwhile', async () => {
    const file = temporaryFile()
    const worker = openWorker({ file, executeInit: ['PRAGMA foreign_keys = ON'] })
    await worker.execute('CREATE TABLE p (id INTEGER PRIMARY KEY)')
    expect(await worker.execute('SELECT * FROM p')).toEqual([])
    const other = new Database(file)
    other.exec('CREATE TABLE c (pid INT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)')
    other.exec("ALTER TABLE p ADD COLUMN name TEXT DEFAULT 'x'")
    other.close()
    const child = worker.insert('c', { pid: 1 })
    void worker.insert('p', { id: 1 })
    await expect(child).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
    expect(await worker.execute('SELECT * FROM p')).toEqual([{ id: 1, name: 'x' }])
  })

  it('commits writes before a read that follows them, so that an acknowledged read is never undone', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE t (a UNIQUE)')
    const results = [
      worker.insert('t', { a: 'a' }),
      worker.execute('SELECT a FROM t'),
      worker.execute("INSERT OR ROLLBACK INTO t (a) VALUES ('a')").catch((error: unknown) => error),
      worker.execute('SELECT a FROM t'),
    ]
    expect(await Promise.all(results)).toMatchObject([{ changes: 1 }, [{ a: 'a' }], {}, [{ a: 'a' }]])
  })

  it('gives the same outcomes with maxCount 1', async () => {
    const worker = openWorker({ maxCount: 1 })
    await worker.execute('CREATE TABLE t (a UNIQUE)')
    const results = await Promise.allSettled(['a', 'a', 'b'].map((a) => worker.insert('t', { a })))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('fails with the code of a lock that another process keeps, and goes on when it is gone', async () => {
    const file = temporaryFile()
    const worker = openWorker({ file, busyTimeoutMs: 50 })
    await worker.execute('CREATE TABLE t (a)')
    const other = new Database(file)
    other.exec('BEGIN IMMEDIATE')
    const results = await Promise.allSettled([1, 2, 3].map((a) => worker.insert('t', { a })))
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { sqliteCode: 'SQLITE_BUSY' } })
    }
    await expect(worker.transaction((tx) => tx.insert('t', { a: 4 }).then(() => {}))).rejects.toMatchObject({
      sqliteCode: 'SQLITE_BUSY',
    })
    other.exec('COMMIT')
    other.close()
    await worker.insert('t', { a: 5 })
    expect(await worker.select('t')).toEqual([{ a: 5 }])
  })
})

describe('what must not share a commit', () => {
  it('is anything while foreign keys are deferred by hand', async () => {
    const worker = openWorker({ executeInit: ['PRAGMA foreign_keys = ON'] })
    await worker.execute('CREATE TABLE p (id INTEGER PRIMARY KEY)')
    await worker.execute('CREATE TABLE c (pid INT REFERENCES p(id))')
    void worker.execute('PRAGMA defer_foreign_keys = ON')
    const child = worker.insert('c', { pid: 1 })
    void worker.insert('p', { id: 1 })
    await expect(child).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  })

  it('is a statement that looks back at the one before', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE p (id INTEGER PRIMARY KEY, a UNIQUE)')
    await worker.execute('CREATE TABLE c (pid)')
    await worker.insert('p', { a: 'a' })
    void worker.execute('INSERT INTO c VALUES (last_insert_rowid())')
    void worker.insert('p', { a: 'b' })
    await worker.execute("INSERT OR ROLLBACK INTO p (a) VALUES ('a')").catch(() => {})
    expect(await worker.select('c')).toEqual([{ pid: 1 }])
  })

  it('are writes of one file while another attached one is locked', async () => {
    const attached = temporaryFile()
    const worker = openWorker({ busyTimeoutMs: 20, executeInit: [`ATTACH '${attached}' AS other`] })
    await worker.execute('CREATE TABLE t (a)')
    const other = new Database(attached)
    other.exec('BEGIN IMMEDIATE')
    await Promise.all([worker.insert('t', { a: 1 }), worker.insert('t', { a: 2 })])
    other.exec('ROLLBACK')
    other.close()
    expect(await worker.select('t')).toEqual([{ a: 1 }, { a: 2 }])
  })
})
