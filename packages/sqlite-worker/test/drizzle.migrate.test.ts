import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { drizzle as drizzleBetterSqlite3 } from 'drizzle-orm/better-sqlite3'
import { migrate as migrateBetterSqlite3 } from 'drizzle-orm/better-sqlite3/migrator'
import { describe, expect, it } from 'vitest'
import { drizzle, migrate } from '../src/drizzle/index.ts'
import type { SqliteWorker } from '../src/index.ts'
import { openWorker, temporaryFile } from './fixture.ts'

/** What drizzle-kit 0.31 wrote for three versions of a schema, the third of which rebuilds a table, and a custom one. */
const fixture = fileURLToPath(new URL('fixtures/drizzle-migrations', import.meta.url))

/** A folder with the first migrations of the fixture, and more of one's own. */
function folderOf(count: number, ...more: string[]): string {
  const folder = join(dirname(temporaryFile()), 'migrations')
  mkdirSync(folder)
  cpSync(fixture, folder, { recursive: true })
  const path = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(readFileSync(path, 'utf8')) as { entries: { tag: string; when: number }[] }
  const own = more.map((text, index) => {
    writeFileSync(join(folder, `own${index}.sql`), text)
    return { tag: `own${index}`, when: 2_000_000_000_000 + index, breakpoints: true }
  })
  writeFileSync(path, JSON.stringify({ entries: [...journal.entries.slice(0, count), ...own] }))
  return folder
}

const rows = (worker: SqliteWorker, sqlText: string): Promise<object[]> =>
  worker.executeAndFetch<object>(sqlText)
const applied = (worker: SqliteWorker) =>
  rows(worker, 'SELECT hash, created_at FROM __drizzle_migrations ORDER BY rowid')

describe('migrate', () => {
  it('applies what drizzle-kit wrote, scripts with triggers included, each once', async () => {
    const worker = openWorker()
    const db = drizzle(worker)
    await migrate(db, { migrationsFolder: folderOf(4) })
    await migrate(db, { migrationsFolder: folderOf(4) })
    expect(
      await rows(worker, 'SELECT a.name, a.born, b.title FROM authors a JOIN books b ON b.authorId = a.id'),
    ).toEqual([{ name: 'Ada', born: 'unknown; ask', title: 'Notes' }])
    expect(await applied(worker)).toHaveLength(4)
  })

  it('writes the table that other drivers write, and goes on where they stopped', async () => {
    const file = temporaryFile()
    const theirs = new Database(file)
    migrateBetterSqlite3(drizzleBetterSqlite3(theirs), { migrationsFolder: folderOf(2) })
    const before = theirs.prepare('SELECT hash, created_at FROM __drizzle_migrations').all()
    const worker = openWorker({ file })
    await migrate(drizzle(worker), { migrationsFolder: folderOf(2) })
    expect(await applied(worker)).toEqual(before)
    await migrate(drizzle(worker), { migrationsFolder: folderOf(3) })
    expect(await applied(worker)).toHaveLength(3)
    migrateBetterSqlite3(drizzleBetterSqlite3(theirs), { migrationsFolder: folderOf(3) })
    expect(theirs.prepare('SELECT count(*) FROM __drizzle_migrations').pluck().get()).toBe(3)
    theirs.close()
  })

  it('keeps rows that refer to a table it rebuilds, and switches foreign keys on again', async () => {
    const worker = openWorker()
    const db = drizzle(worker)
    await migrate(db, { migrationsFolder: folderOf(2) })
    await worker.insert('authors', { name: 'Ada' })
    await worker.insert('books', { title: 'Notes', authorId: 1 })
    const migrated = migrate(db, { migrationsFolder: folderOf(3) })
    const orphans = Array.from({ length: 50 }, () =>
      worker.insert('books', { title: 'Orphan', authorId: 99 }).then(
        () => 'accepted',
        () => 'refused',
      ),
    )
    await migrated
    expect(new Set(await Promise.all(orphans))).toEqual(new Set(['refused']))
    expect(await rows(worker, 'SELECT title FROM books')).toEqual([{ title: 'Notes' }])
    expect(await rows(worker, 'PRAGMA foreign_keys')).toEqual([{ foreign_keys: 1 }])
  })

  it('leaves foreign keys off where they were', async () => {
    const worker = openWorker({ executeInit: ['PRAGMA foreign_keys = OFF'] })
    await migrate(drizzle(worker), { migrationsFolder: folderOf(3) })
    expect(await rows(worker, 'PRAGMA foreign_keys')).toEqual([{ foreign_keys: 0 }])
  })

  it('applies nothing when a statement fails, and names it', async () => {
    const worker = openWorker()
    const folder = folderOf(
      1,
      'CREATE TABLE made (id INTEGER);--> statement-breakpoint\nINSERT INTO nowhere VALUES (1);',
    )
    await expect(migrate(drizzle(worker), { migrationsFolder: folder })).rejects.toMatchObject({
      query: '\nINSERT INTO nowhere VALUES (1);',
      cause: { code: 'ERR_STATEMENT', sqliteCode: 'SQLITE_ERROR' },
    })
    expect(await rows(worker, 'SELECT name FROM sqlite_master')).toEqual([])
  })

  it('applies nothing when references would be broken, whatever was broken before', async () => {
    const worker = openWorker({ executeInit: ['PRAGMA foreign_keys = OFF'] })
    const db = drizzle(worker)
    await migrate(db, { migrationsFolder: folderOf(2) })
    await worker.insert('books', { title: 'Broken before', authorId: 99 })
    await migrate(db, { migrationsFolder: folderOf(3) })
    await worker.execute('PRAGMA foreign_keys = ON')
    await worker.insert('authors', { name: 'Ada' })
    await worker.insert('books', { title: 'Notes', authorId: 1 })
    const folder = folderOf(3, 'PRAGMA foreign_keys=OFF;--> statement-breakpoint\nDELETE FROM authors;')
    await expect(migrate(db, { migrationsFolder: folder })).rejects.toMatchObject({
      sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY',
    })
    expect(await rows(worker, 'SELECT name FROM authors')).toEqual([{ name: 'Ada' }])
    expect(await rows(worker, 'PRAGMA foreign_keys')).toEqual([{ foreign_keys: 1 }])
  })

  it('refuses to switch foreign keys off inside a transaction, where SQLite would ignore it', async () => {
    const worker = openWorker()
    const db = drizzle(worker)
    const inside = db.transaction(() => migrate(db, { migrationsFolder: folderOf(3) }))
    await expect(inside).rejects.toMatchObject({ code: 'ERR_TRANSACTION_CONTROL' })
    await db.transaction(() => migrate(db, { migrationsFolder: folderOf(2) }))
    expect(await applied(worker)).toHaveLength(2)
  })

  it('is applied once when several workers race, each on a connection of its own', async () => {
    const file = temporaryFile()
    const workers = Array.from({ length: 4 }, () => openWorker({ file }))
    const folder = folderOf(4)
    await Promise.all(
      workers.flatMap((worker) => [1, 2].map(() => migrate(drizzle(worker), { migrationsFolder: folder }))),
    )
    for (const worker of workers) expect(await applied(worker)).toHaveLength(4)
  })

  it('uses the table it is told', async () => {
    const worker = openWorker()
    await migrate(drizzle(worker), { migrationsFolder: folderOf(1), migrationsTable: 'odd "name"' })
    expect(await rows(worker, 'SELECT count(*) AS n FROM "odd ""name"""')).toEqual([{ n: 1 }])
  })
})
