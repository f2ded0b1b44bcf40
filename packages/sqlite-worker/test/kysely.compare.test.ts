import SqliteDatabase from 'better-sqlite3'
import { Kysely, SqliteDialect, sql } from 'kysely'
import { jsonArrayFrom, jsonObjectFrom } from 'kysely/helpers/sqlite'
import { expect, it } from 'vitest'
import { SqliteWorkerDialect } from '../src/kysely/index.ts'
import { openWorker, temporaryFile } from './fixture.ts'
import { createTables, type Database } from './fixtures/kysely-schema.ts'

type Db = Kysely<Database>

/** Run in order on both dialects; each result must be the same, types of values included. */
const queries: Record<string, (db: Db) => Promise<unknown>> = {
  'insert one row': (db) => db.insertInto('person').values({ first_name: 'Ada', age: 36 }).execute(),
  'insert several rows': (db) =>
    db
      .insertInto('person')
      .values([
        { first_name: 'Bob', age: 20 },
        { first_name: 'Cyd', age: null },
      ])
      .executeTakeFirstOrThrow(),
  'insert returning': (db) =>
    db.insertInto('person').values({ first_name: 'Dan', age: 1 }).returningAll().execute(),
  'insert returning one': (db) =>
    db
      .insertInto('pet')
      .values({ owner_id: 1, name: 'Tom', species: 'cat' })
      .returning(['id', 'name as n'])
      .executeTakeFirst(),
  'insert more pets': (db) =>
    db
      .insertInto('pet')
      .values([
        { owner_id: 1, name: 'Rex', species: 'dog' },
        { owner_id: 2, name: 'Kit', species: 'cat' },
      ])
      .execute(),
  'insert blobs and reals': (db) =>
    db
      .insertInto('mixed')
      .values([
        { bytes: Buffer.from([0, 1, 255]), real: 1.5, any: 'text' },
        { bytes: null, real: null, any: 7 },
        { bytes: Buffer.alloc(0), real: 2, any: null },
      ])
      .returningAll()
      .execute(),
  'on conflict do update': (db) =>
    db
      .insertInto('person')
      .values({ first_name: 'Ada', age: 37 })
      .onConflict((oc) => oc.column('first_name').doUpdateSet({ age: (eb) => eb.ref('excluded.age') }))
      .returningAll()
      .execute(),
  'insert from select': (db) =>
    db
      .insertInto('pet')
      .columns(['owner_id', 'name', 'species'])
      .expression((eb) =>
        eb.selectFrom('person').select(['id', 'first_name', sql<'dog'>`'dog'`.as('species')]),
      )
      .execute(),
  replace: (db) => db.replaceInto('person').values({ id: 4, first_name: 'Dan', age: 2 }).execute(),
  update: (db) => db.updateTable('person').set({ age: 50 }).where('id', '>', 2).execute(),
  'update of nothing': (db) =>
    db.updateTable('person').set({ age: 50 }).where('id', '>', 99).executeTakeFirst(),
  'update returning': (db) =>
    db
      .updateTable('person')
      .set((eb) => ({ age: eb('age', '+', 1) }))
      .where('id', '=', 1)
      .returningAll()
      .execute(),
  'select all': (db) => db.selectFrom('person').selectAll().orderBy('id').execute(),
  'select blobs': (db) => db.selectFrom('mixed').selectAll().orderBy('id').execute(),
  'select nothing': (db) => db.selectFrom('person').selectAll().where('id', '=', 99).executeTakeFirst(),
  join: (db) =>
    db
      .selectFrom('person')
      .leftJoin('pet', 'pet.owner_id', 'person.id')
      .select(['person.id', 'first_name', 'pet.name as pet', 'species'])
      .orderBy('person.id')
      .orderBy('pet.id')
      .execute(),
  aggregates: (db) =>
    db
      .selectFrom('pet')
      .select((eb) => ['species', eb.fn.countAll<number>().as('n'), eb.fn.avg<number>('id').as('mean')])
      .groupBy('species')
      .having((eb) => eb.fn.countAll(), '>', 0)
      .orderBy('species')
      .execute(),
  'nested json': (db) =>
    db
      .selectFrom('person')
      .select((eb) => [
        'id',
        jsonArrayFrom(
          eb.selectFrom('pet').select(['pet.name']).whereRef('owner_id', '=', 'person.id').orderBy('pet.id'),
        ).as('pets'),
        jsonObjectFrom(
          eb.selectFrom('pet').select(['pet.id']).whereRef('owner_id', '=', 'person.id').limit(1),
        ).as('first'),
      ])
      .orderBy('id')
      .execute(),
  with: (db) =>
    db
      .with('cats', (qb) => qb.selectFrom('pet').selectAll().where('species', '=', 'cat'))
      .selectFrom('cats')
      .selectAll()
      .orderBy('id')
      .execute(),
  union: (db) =>
    db
      .selectFrom('person')
      .select('first_name as n')
      .union(db.selectFrom('pet').select('name as n'))
      .orderBy('n')
      .execute(),
  'raw select': async (db) =>
    (await sql`select ${1} as one, ${null} as none, ${'x'} as text`.execute(db)).rows,
  'raw insert': async (db) => {
    const { insertId, numAffectedRows, rows } =
      await sql`insert into mixed (id, real) values (0, 1), (77, 2)`.execute(db)
    return { insertId, numAffectedRows, rows }
  },
  'insert of rowid 0': async (db) => {
    await db.deleteFrom('mixed').where('id', '=', 0).execute()
    return db.insertInto('mixed').values({ id: 0 }).executeTakeFirst()
  },
  stream: async (db) => {
    const names: string[] = []
    for await (const { first_name } of db.selectFrom('person').select('first_name').orderBy('id').stream())
      names.push(first_name)
    return names
  },
  explain: (db) => db.selectFrom('person').selectAll().explain(),
  transaction: (db) =>
    db.transaction().execute(async (trx) => {
      await trx.insertInto('person').values({ first_name: 'Eve', age: 3 }).execute()
      return trx.selectFrom('person').selectAll().where('first_name', '=', 'Eve').execute()
    }),
  introspection: (db) => db.introspection.getTables(),
  delete: (db) => db.deleteFrom('person').where('id', '=', 1).execute(),
  'delete returning': (db) => db.deleteFrom('person').where('id', '=', 2).returning('first_name').execute(),
  'what cascaded': (db) => db.selectFrom('pet').selectAll().orderBy('id').execute(),
}

it("gives what Kysely's own dialect gives", async () => {
  const ours = new Kysely<Database>({ dialect: new SqliteWorkerDialect({ worker: openWorker() }) })
  const theirs = new Kysely<Database>({
    dialect: new SqliteDialect({ database: new SqliteDatabase(temporaryFile()) }),
  })
  await createTables(ours)
  await createTables(theirs)
  for (const [name, query] of Object.entries(queries)) {
    const expected = await query(theirs)
    expect(await query(ours), name).toStrictEqual(expected)
  }
  await theirs.destroy()
})
