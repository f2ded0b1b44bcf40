import { Kysely, Migrator, sql, type Migration } from 'kysely'
import { expect, it } from 'vitest'
import type { SqliteWorker } from '../src/index.ts'
import { SqliteWorkerDialect } from '../src/kysely/index.ts'
import { openWorker, temporaryFile } from './fixture.ts'

function migratorOf(
  worker: SqliteWorker,
  migrations: Record<string, Migration>,
  disableTransactions = false,
): Migrator {
  const db = new Kysely<unknown>({ dialect: new SqliteWorkerDialect({ worker }) })
  return new Migrator({ db, provider: { getMigrations: async () => migrations }, disableTransactions })
}

const createA: Migration = {
  up: (db) => db.schema.createTable('a').addColumn('id', 'integer').execute(),
  down: (db) => db.schema.dropTable('a').execute(),
}
const fillA: Migration = {
  up: async (db) => void (await sql`insert into a values (1)`.execute(db)),
  down: async (db) => void (await sql`delete from a`.execute(db)),
}
const broken: Migration = { up: async (db) => void (await sql`insert into nowhere values (1)`.execute(db)) }

it('migrates up and down', async () => {
  const worker = openWorker()
  const migrator = migratorOf(worker, { '1': createA, '2': fillA })
  expect(await migrator.migrateToLatest()).toMatchObject({
    results: [{ status: 'Success' }, { status: 'Success' }],
  })
  expect(await migrator.migrateToLatest()).toEqual({ results: [] })
  expect(await worker.select('a')).toEqual([{ id: 1 }])
  expect(await migrator.migrateDown()).toMatchObject({ results: [{ migrationName: '2', status: 'Success' }] })
  expect(await worker.select('a')).toEqual([])
})

it('applies nothing when one of the migrations fails', async () => {
  const worker = openWorker()
  const { error, results } = await migratorOf(worker, { '1': createA, '2': broken }).migrateToLatest()
  expect(error).toMatchObject({ code: 'ERR_STATEMENT' })
  expect(results).toMatchObject([{ status: 'Success' }, { status: 'Error' }])
  await expect(worker.select('a')).rejects.toThrow('no such table')
  expect(await worker.select('kysely_migration')).toEqual([])
})

it('applies each migration once when several race, in one process and in others', async () => {
  const file = temporaryFile()
  const workers = Array.from({ length: 3 }, () => openWorker({ file }))
  const migrations = { '1': createA, '2': fillA }
  const sets = await Promise.all(
    workers.flatMap((worker) => [1, 2].map(() => migratorOf(worker, migrations).migrateToLatest())),
  )
  for (const { error } of sets) expect(error).toBeUndefined()
  expect(sets.flatMap(({ results }) => results)).toHaveLength(2)
  expect(await workers[0]?.select('a')).toEqual([{ id: 1 }])
})

it('may take longer than a transaction may otherwise', async () => {
  const worker = openWorker({ transactionTimeoutMs: 1 })
  const slow: Migration = {
    up: async (db) => {
      await createA.up(db)
      for (let i = 0; i < 200; i++) await sql`insert into a values (${i})`.execute(db)
    },
  }
  expect((await migratorOf(worker, { '1': slow }).migrateToLatest()).error).toBeUndefined()
})

it('without transactions takes turns within a process, and may switch foreign keys', async () => {
  const worker = openWorker()
  const rebuild: Migration = {
    up: async (db) => {
      await sql`PRAGMA foreign_keys = OFF`.execute(db)
      await createA.up(db)
      await sql`PRAGMA foreign_keys = ON`.execute(db)
    },
  }
  const migrator = migratorOf(worker, { '1': rebuild }, true)
  const sets = await Promise.all([migrator.migrateToLatest(), migrator.migrateToLatest()])
  for (const { error } of sets) expect(error).toBeUndefined()
  const inTransaction = migratorOf(openWorker(), { '1': rebuild })
  expect((await inTransaction.migrateToLatest()).error).toMatchObject({ code: 'ERR_TRANSACTION_CONTROL' })
})
