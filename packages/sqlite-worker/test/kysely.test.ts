import { Kysely, sql, type LogEvent } from 'kysely'
import { describe, expect, it } from 'vitest'
import type { SqliteWorker } from '../src/index.ts'
import { SqliteWorkerDialect } from '../src/kysely/index.ts'
import { gate, openWorker, temporaryFile, workerUrl } from './fixture.ts'
import { createTables, type Database } from './fixtures/kysely-schema.ts'

async function withTables(): Promise<{
  worker: SqliteWorker
  db: Kysely<Database>
  names: () => Promise<string[]>
}> {
  const worker = openWorker()
  const db = new Kysely<Database>({ dialect: new SqliteWorkerDialect({ worker }) })
  await createTables(db)
  const names = async (): Promise<string[]> =>
    (await db.selectFrom('person').select('first_name').orderBy('id').execute()).map((row) => row.first_name)
  return { worker, db, names }
}

const person = (first_name: string) => ({ first_name, age: null })

describe('transaction', () => {
  it('commits what its callback did and resolves to its result', async () => {
    const { db, names } = await withTables()
    const result = await db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values(person('a')).execute()
      return 42
    })
    expect(result).toBe(42)
    expect(await names()).toEqual(['a'])
  })

  it('of two at the same time does not touch the other, nor writes outside, when it rolls back', async () => {
    const { db, names } = await withTables()
    const hold = gate()
    const failed = db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values(person('first')).execute()
      await hold.opened
      throw new Error('rolled back')
    })
    const kept = db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values(person('second')).execute()
      await new Promise((resolve) => setImmediate(resolve))
      await trx.insertInto('person').values(person('third')).execute()
    })
    const outside = Array.from({ length: 20 }, (_, i) =>
      db
        .insertInto('person')
        .values(person(`outside ${i}`))
        .executeTakeFirst(),
    )
    hold.open()
    await expect(failed).rejects.toThrow('rolled back')
    await kept
    const acknowledged = await Promise.all(outside)
    expect(acknowledged.every(({ numInsertedOrUpdatedRows }) => numInsertedOrUpdatedRows === 1n)).toBe(true)
    expect((await names()).toSorted()).toEqual(
      ['second', 'third', ...outside.map((_, i) => `outside ${i}`)].toSorted(),
    )
  })

  it('rejects with our error when COMMIT fails, and nothing of it stays', async () => {
    const { db, worker } = await withTables()
    await worker.execute('CREATE TABLE child (p INT REFERENCES person (id) DEFERRABLE INITIALLY DEFERRED)')
    const failed = db.transaction().execute((trx) => sql`insert into child values (99)`.execute(trx))
    await expect(failed).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
    expect(await worker.select('child')).toEqual([])
  })

  it('that only reads lets other processes write meanwhile', async () => {
    const { db, worker } = await withTables()
    const [main] = await worker.execute<{ file: string }>('PRAGMA database_list')
    const other = openWorker({ file: main?.file ?? '', busyTimeoutMs: 0 })
    await db
      .transaction()
      .setAccessMode('read only')
      .execute(async (trx) => {
        await trx.selectFrom('person').selectAll().execute()
        await other.insert('person', { first_name: 'meanwhile' })
        expect(await trx.selectFrom('person').selectAll().execute()).toEqual([])
      })
  })

  it('and queries belong to the transaction of the worker in whose callback they are made', async () => {
    const { db, worker, names } = await withTables()
    const insert = (on: Kysely<Database>, name: string) =>
      on.insertInto('person').values(person(name)).execute()
    const failed = worker.transaction(async () => {
      await insert(db, 'a')
      await db.transaction().execute((trx) => insert(trx, 'b'))
      const undone = db.transaction().execute(async (trx) => {
        await insert(trx, 'c')
        throw new Error('only this part')
      })
      await expect(undone).rejects.toThrow('only this part')
      expect(await names()).toEqual(['a', 'b'])
      throw new Error('all of it')
    })
    await expect(failed).rejects.toThrow('all of it')
    expect(await names()).toEqual([])
  })

  it('is rolled back when it takes too long, and says so', async () => {
    const worker = openWorker({ transactionTimeoutMs: 20, onUnobservedError: () => {} })
    const db = new Kysely<Database>({ dialect: new SqliteWorkerDialect({ worker }) })
    await createTables(db)
    const stuck = db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values(person('a')).execute()
      await db.insertInto('person').values(person('waits for the transaction around it')).execute()
    })
    await expect(stuck).rejects.toThrow('wait for a call made outside of it')
    const trx = await db.startTransaction().execute()
    await trx.insertInto('person').values(person('b')).execute()
    await db.insertInto('person').values(person('after its end')).execute()
    await expect(trx.commit().execute()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_TIMEOUT' })
    await trx.rollback().execute()
  })

  it('refuses PRAGMA foreign_keys, which SQLite would ignore there', async () => {
    const { db } = await withTables()
    const refused = db.transaction().execute((trx) => sql`PRAGMA foreign_keys = OFF`.execute(trx))
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TRANSACTION_CONTROL' })
    await sql`PRAGMA foreign_keys = ON`.execute(db)
  })
})

describe('controlled transaction', () => {
  it('commits, or rolls back, when it is told', async () => {
    const { db, names } = await withTables()
    const first = await db.startTransaction().execute()
    await first.insertInto('person').values(person('a')).execute()
    await first.rollback().execute()
    const second = await db.startTransaction().execute()
    await second.insertInto('person').values(person('b')).execute()
    await second.commit().execute()
    expect(await names()).toEqual(['b'])
    await expect(second.insertInto('person').values(person('c')).execute()).rejects.toThrow(
      'already committed',
    )
  })

  it('goes back to savepoints, which stay until they are released', async () => {
    const { db, names } = await withTables()
    const insert = (trx: Kysely<Database>, name: string) =>
      trx.insertInto('person').values(person(name)).execute()
    const trx = await db.startTransaction().execute()
    await insert(trx, 'before')
    const outer = await trx.savepoint('outer').execute()
    await insert(outer, 'in outer')
    const inner = await outer.savepoint('Inner "quoted"').execute()
    await insert(inner, 'in inner')
    await inner.rollbackToSavepoint('Inner "quoted"').execute()
    await insert(inner, 'in inner again')
    await inner.releaseSavepoint('Inner "quoted"').execute()
    await insert(outer, 'in outer again')
    const third = await outer.savepoint('third').execute()
    await insert(third, 'in third')
    await third.rollbackToSavepoint('outer').execute()
    await insert(trx, 'after')
    await trx.commit().execute()
    expect(await names()).toEqual(['before', 'after'])
  })

  it('keeps what was done in open savepoints on commit, and nothing on rollback', async () => {
    const { db, names } = await withTables()
    for (const end of ['rollback', 'commit'] as const) {
      const trx = await db.startTransaction().execute()
      await trx
        .insertInto('person')
        .values(person(`${end} 1`))
        .execute()
      const part = await trx.savepoint('one').execute()
      const deeper = await part.savepoint('two').execute()
      await deeper
        .insertInto('person')
        .values(person(`${end} 2`))
        .execute()
      await deeper[end]().execute()
    }
    expect(await names()).toEqual(['commit 1', 'commit 2'])
  })

  it('names a savepoint that is not open', async () => {
    const { db } = await withTables()
    const trx = await db.startTransaction().execute()
    const part = await trx.savepoint('one').execute()
    await part.releaseSavepoint('one').execute()
    await expect(part.rollbackToSavepoint('one').execute()).rejects.toThrow('No savepoint "one"')
    await trx.rollback().execute()
  })

  it('can still be rolled back after its COMMIT failed, and lets nothing through in between', async () => {
    const { db, worker, names } = await withTables()
    await worker.execute('CREATE TABLE child (p INT REFERENCES person (id) DEFERRABLE INITIALLY DEFERRED)')
    const trx = await db.startTransaction().execute()
    await sql`insert into child values (99)`.execute(trx)
    await expect(trx.commit().execute()).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
    await expect(trx.insertInto('person').values(person('late')).execute()).rejects.toMatchObject({
      code: 'ERR_TRANSACTION_ENDED',
    })
    await trx.rollback().execute()
    expect(await names()).toEqual([])
  })
})

describe('stream', () => {
  it('gives rows in order, in a transaction as well, and may be left early', async () => {
    const { db } = await withTables()
    const all = Array.from({ length: 500 }, (_, i) => person(`n${i}`))
    await db.insertInto('person').values(all).execute()
    const streamed: string[] = []
    for await (const row of db.selectFrom('person').select('first_name').orderBy('id').stream(7))
      streamed.push(row.first_name)
    expect(streamed).toEqual(all.map((row) => row.first_name))
    for await (const row of db.selectFrom('person').selectAll().orderBy('id').stream()) {
      expect(row.first_name).toBe('n0')
      break
    }
    await db.transaction().execute(async (trx) => {
      await trx.deleteFrom('person').where('id', '>', 2).execute()
      let count = 0
      for await (const row of trx.selectFrom('person').selectAll().stream()) count += row.id
      expect(count).toBe(3)
    })
  })

  it('gives blobs as Buffers', async () => {
    const { db } = await withTables()
    await db
      .insertInto('mixed')
      .values({ bytes: Buffer.from('x') })
      .execute()
    for await (const { bytes } of db.selectFrom('mixed').select('bytes').stream())
      expect(bytes).toEqual(Buffer.from('x'))
  })
})

describe('a dialect', () => {
  it('for a file opens a worker with the first query and closes it with destroy()', async () => {
    const file = temporaryFile()
    const dialect = new SqliteWorkerDialect({
      file,
      options: { workerUrl: workerUrl(), synchronous: 'FULL' },
    })
    const db = new Kysely<Database>({ dialect })
    await createTables(db)
    expect((await sql<{ synchronous: number }>`PRAGMA synchronous`.execute(db)).rows).toEqual([
      { synchronous: 2 },
    ])
    await db.destroy()
    await expect(db.selectFrom('person').selectAll().execute()).rejects.toThrow('destroyed')
    const unused = new Kysely<Database>({ dialect: new SqliteWorkerDialect({ file }) })
    await unused.destroy()
  })

  it('leaves a worker that it was given open', async () => {
    const { db, worker } = await withTables()
    await db.destroy()
    expect(await worker.select('person')).toEqual([])
  })

  it('names what is wrong with its config', () => {
    const worker = openWorker()
    // @ts-expect-error a misspelt option
    expect(() => new SqliteWorkerDialect({ woker: worker })).toThrow('did you mean "worker"')
    // @ts-expect-error neither
    expect(() => new SqliteWorkerDialect({})).toThrow('Expected either worker, or file')
    expect(() => new SqliteWorkerDialect({ worker, file: 'x' })).toThrow('Expected either worker, or file')
    // @ts-expect-error not a worker
    expect(() => new SqliteWorkerDialect({ worker: 'x' })).toThrow('Expected worker to be')
  })

  it('logs queries and errors as others do', async () => {
    const { worker } = await withTables()
    const events: LogEvent[] = []
    const db = new Kysely<Database>({
      dialect: new SqliteWorkerDialect({ worker }),
      log: (event) => void events.push(event),
    })
    await db.insertInto('person').values(person('a')).execute()
    const again = db.insertInto('person').values(person('a')).execute()
    await expect(again).rejects.toMatchObject({
      code: 'ERR_STATEMENT',
      sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE',
    })
    expect(events.map((event) => event.level)).toEqual(['query', 'error'])
  })
})
