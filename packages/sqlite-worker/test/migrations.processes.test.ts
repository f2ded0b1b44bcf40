import { spawnChild } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Migration } from '../src/index.ts'
import type { MigrationTarget } from '../src/migrations/exclusively.ts'
import { Migrator } from '../src/migrations/migrator.ts'
import { openWorker, temporaryFile, workerUrl } from './fixture.ts'

const program = new URL('fixtures/migrate.ts', import.meta.url)
const argumentsOf = (file: string, list: readonly Migration[]): string[] => [
  file,
  workerUrl().href,
  JSON.stringify(list),
]

const list = Array.from({ length: 20 }, (_, i): Migration => ({
  version: String(i + 1),
  name: `table ${i + 1}`,
  up: `CREATE TABLE t${i + 1} (a); INSERT INTO t${i + 1} VALUES (1)`,
  down: `DROP TABLE t${i + 1}`,
}))

function openDatabase(file: string): Database.Database {
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  onTestFinished(() => {
    db.close()
  })
  return db
}

describe('several processes', () => {
  it('that migrate at once apply each migration exactly once, and none fails', async () => {
    const file = temporaryFile()
    const db = openDatabase(file)
    db.exec('BEGIN IMMEDIATE') // so that all of them find everything to be done, and then wait for each other
    const children = [1, 2, 3].map(() => spawnChild(program, { args: argumentsOf(file, list) }))
    await Promise.all(children.map(async (child) => child.waitFor('ready')))
    db.exec('COMMIT')
    const ends = await Promise.all(children.map(async (child) => child.exited))
    expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual(ends.map(() => [0, '']))
    const applied = ends.flatMap(({ stdout }) => JSON.parse(stdout) as string[])
    expect(applied.toSorted((a, b) => Number(a) - Number(b))).toEqual(list.map(({ version }) => version))
    const recorded = db.prepare('SELECT version FROM _migrations ORDER BY id').pluck().all()
    expect(recorded).toEqual(list.map(({ version }) => version))
  })

  it('killed in the middle of a migration leave nothing of it', async () => {
    const file = temporaryFile()
    const db = openDatabase(file)
    const [first] = list as [Migration]
    const forEver = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n'
    const endless = {
      version: '2',
      name: 'endless',
      up: `CREATE TABLE half (a); INSERT INTO half ${forEver}`,
    }
    await using child = spawnChild(program, { args: argumentsOf(file, [first, endless]) })
    await child.waitFor('ready')
    db.pragma('busy_timeout = 0')
    const isApplied = (): boolean => db.pragma('table_list(t1)', { simple: true }) !== undefined
    const isLocked = (): boolean => {
      try {
        db.exec('BEGIN IMMEDIATE; COMMIT')
        return false
      } catch {
        return true
      }
    }
    await expect.poll(() => isApplied() && isLocked(), { timeout: 15_000 }).toBe(true)
    child.kill()
    await child.exited
    expect(db.prepare('SELECT version FROM _migrations').pluck().all()).toEqual(['1'])
    const worker = openWorker({ file })
    await worker.migrate([first, { ...endless, up: 'CREATE TABLE half (a)' }])
    expect(await worker.select('half')).toEqual([])
  })
})

describe('a migration that another connection was faster with', () => {
  it('is seen once the lock is there, and left out', async () => {
    const file = temporaryFile()
    const worker = openWorker({ file })
    const other = openWorker({ file })
    const overtaken = (migrate: () => Promise<unknown>): MigrationTarget => ({
      execute: (sql, params) => worker.execute(sql, params),
      async transaction(fn, options) {
        await migrate()
        return worker.transaction(fn, options)
      },
    })
    const up = new Migrator(overtaken(async () => other.migrate(list)))
    expect(await up.migrate(list)).toEqual([])
    expect(await up.apply(list[0] as Migration)).toBe(false)
    const down = new Migrator(overtaken(async () => other.migrate(list, { to: null, allowDown: true })))
    expect(await down.migrate(list, { to: '5', allowDown: true })).toEqual([])
    expect(await down.rollback('5')).toBe(false)
    const changed = list.map((migration) => ({ ...migration, up: `${migration.up};` }))
    const differently = new Migrator(overtaken(async () => other.migrate(changed)))
    await expect(differently.migrate(list)).rejects.toMatchObject({
      code: 'ERR_MIGRATION_CHANGED',
      version: '1',
    })
    expect(await worker.getAppliedMigrations()).toHaveLength(list.length)
  })
})

describe('a lock of another process', () => {
  it('is waited for, longer than busyTimeoutMs', async () => {
    const file = temporaryFile()
    const db = openDatabase(file)
    const worker = openWorker({ file, busyTimeoutMs: 1 })
    let attempts = 0
    const counting: MigrationTarget = {
      execute: (sql, params) => worker.execute(sql, params),
      async transaction(fn, options) {
        attempts += 1
        if (attempts === 3) db.exec('COMMIT')
        return worker.transaction(fn, options)
      },
    }
    db.exec('BEGIN IMMEDIATE')
    expect(await new Migrator(counting).migrate(list)).toHaveLength(list.length)
    expect(attempts).toBe(list.length + 2)
  })

  it('makes it reject with the code of SQLite in the end, and nothing has happened', async () => {
    const file = temporaryFile()
    const db = openDatabase(file)
    const worker = openWorker({ file, busyTimeoutMs: 1 })
    db.exec('BEGIN IMMEDIATE')
    const busy = { code: 'ERR_STATEMENT', sqliteCode: 'SQLITE_BUSY' }
    await expect(worker.migrate(list, { lockTimeoutMs: 0 })).rejects.toMatchObject(busy)
    await expect(worker.migrate(list, { lockTimeoutMs: 0, dryRun: true })).rejects.toMatchObject(busy)
    db.exec('COMMIT')
    expect(await worker.getAppliedMigrations()).toEqual([])
    await worker.migrate(list)
  })

  it('is not asked for when there is nothing to do', async () => {
    const file = temporaryFile()
    const worker = openWorker({ file, busyTimeoutMs: 1 })
    await worker.migrate(list)
    const db = openDatabase(file)
    db.exec('BEGIN IMMEDIATE')
    expect(await worker.migrate(list, { lockTimeoutMs: 0 })).toEqual([])
    db.exec('COMMIT')
  })
})
