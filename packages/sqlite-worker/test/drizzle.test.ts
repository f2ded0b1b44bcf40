import { eq, sql } from 'drizzle-orm'
import { Cache, type MutationOption } from 'drizzle-orm/cache/core'
import { DrizzleQueryError, TransactionRollbackError } from 'drizzle-orm'
import { customType, integer, numeric, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { drizzle, type SqliteWorkerDatabase } from '../src/drizzle/index.ts'
import { isSqliteWorkerError, StatementError, type SqliteWorker } from '../src/index.ts'
import { gate, openWorker } from './fixture.ts'

const names = sqliteTable('names', { id: integer().primaryKey(), name: text().notNull().unique() })
type Db = SqliteWorkerDatabase<{ names: typeof names }>

async function withNames(): Promise<{ worker: SqliteWorker; db: Db; stored: () => Promise<string[]> }> {
  const worker = openWorker()
  await worker.execute('CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)')
  const db = drizzle(worker, { schema: { names } })
  const stored = async (): Promise<string[]> =>
    (await db.select().from(names).orderBy(names.id)).map((row) => row.name)
  return { worker, db, stored }
}

describe('transaction', () => {
  it('commits what its callback did and resolves to its result', async () => {
    const { db, stored } = await withNames()
    const result = await db.transaction(async (tx) => {
      await tx.insert(names).values({ name: 'a' })
      return tx.query.names.findFirst()
    })
    expect(result).toEqual({ id: 1, name: 'a' })
    expect(await stored()).toEqual(['a'])
  })

  it('of two at the same time does not touch the other, nor writes outside, when it rolls back', async () => {
    const { db, stored } = await withNames()
    const hold = gate()
    const failed = db.transaction(async (tx) => {
      await tx.insert(names).values({ name: 'first' })
      await hold.opened
      throw new Error('rolled back')
    })
    const kept = db.transaction(async (tx) => {
      await tx.insert(names).values({ name: 'second' })
      await new Promise((resolve) => setImmediate(resolve))
      await tx.insert(names).values({ name: 'third' })
    })
    const outside = Array.from({ length: 20 }, (_, i) =>
      db
        .insert(names)
        .values({ name: `outside ${i}` })
        .run(),
    )
    hold.open()
    await expect(failed).rejects.toThrow('rolled back')
    await kept
    const acknowledged = await Promise.all(outside)
    expect(acknowledged.every(({ changes }) => changes === 1)).toBe(true)
    expect((await stored()).toSorted()).toEqual(
      ['second', 'third', ...outside.map((_, i) => `outside ${i}`)].toSorted(),
    )
  })

  it('takes queries on db inside its callback as its own, also after other awaits', async () => {
    const { db, stored } = await withNames()
    const failed = db.transaction(async () => {
      await db.insert(names).values({ name: 'a' })
      await new Promise((resolve) => setImmediate(resolve))
      expect(await db.$count(names)).toBe(1)
      await db.batch([db.insert(names).values({ name: 'b' })])
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(await stored()).toEqual([])
  })

  it('is undone by rollback(), and rejects as with other drivers', async () => {
    const { db, stored } = await withNames()
    const rolledBack = db.transaction(async (tx) => {
      await tx.insert(names).values({ name: 'a' })
      tx.rollback()
    })
    await expect(rolledBack).rejects.toBeInstanceOf(TransactionRollbackError)
    expect(await stored()).toEqual([])
  })

  it('nested undoes only its own part', async () => {
    const { db, stored } = await withNames()
    await db.transaction(async (tx) => {
      await tx.insert(names).values({ name: 'outer' })
      const nested = tx.transaction(async (inner) => {
        await inner.insert(names).values({ name: 'inner' })
        await inner.transaction(async (innermost) => {
          await innermost.insert(names).values({ name: 'innermost' })
        })
        inner.rollback()
      })
      await expect(nested).rejects.toThrow('Rollback')
      await tx.transaction((inner) => inner.insert(names).values({ name: 'kept' }), { behavior: 'immediate' })
      await db.transaction((inner) => inner.insert(names).values({ name: 'by context' }))
    })
    expect(await stored()).toEqual(['outer', 'kept', 'by context'])
  })

  it('passes its behavior on as the mode', async () => {
    const { db, worker } = await withNames()
    const other = openWorker({ file: await fileOf(worker), busyTimeoutMs: 0 })
    const hold = gate()
    const started = gate()
    const open = db.transaction(
      async (tx) => {
        await tx.select().from(names)
        started.open()
        await hold.opened
      },
      { behavior: 'deferred' },
    )
    await started.opened
    await other.execute("INSERT INTO names (name) VALUES ('while the other only reads')")
    hold.open()
    await open
    // @ts-expect-error no such behavior
    await expect(db.transaction(async () => {}, { behavior: 'eager' })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    })
  })
})

async function fileOf(worker: SqliteWorker): Promise<string> {
  const [main] = await worker.execute<{ file: string }>('PRAGMA database_list')
  return main?.file ?? ''
}

describe('batch', () => {
  it('resolves to the results of its queries, of any kind', async () => {
    const { db } = await withNames()
    const results = await db.batch([
      db.insert(names).values({ name: 'a' }),
      db.insert(names).values({ name: 'b' }).returning(),
      db.select({ name: names.name, id: names.id }).from(names).orderBy(names.id),
      db.query.names.findMany(),
      db.query.names.findFirst({ where: eq(names.id, 9) }),
      db.all(sql`select name, id from names order by id`),
      db.get(sql`select name from names where id = ${2}`),
      db.values(sql`select name, id from names where id = 1`),
      db.run(sql`delete from names where id = 2`),
    ])
    expect(results).toEqual([
      { changes: 1, lastInsertRowid: 1 },
      [{ id: 2, name: 'b' }],
      [
        { name: 'a', id: 1 },
        { name: 'b', id: 2 },
      ],
      [
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ],
      undefined,
      [
        { name: 'a', id: 1 },
        { name: 'b', id: 2 },
      ],
      { name: 'b' },
      [['a', 1]],
      expect.objectContaining({ changes: 1 }),
    ])
  })

  it('is all or nothing, and rejects with our error as the cause', async () => {
    const { db, stored } = await withNames()
    const failed = db.batch([
      db.insert(names).values({ name: 'a' }),
      db.insert(names).values({ id: 5, name: 'a' }),
      db.insert(names).values({ name: 'c' }),
    ])
    await expect(failed).rejects.toMatchObject({
      query: expect.stringContaining('insert into "names" ("id", "name") values (?, ?)'),
      cause: { sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' },
    })
    expect(await stored()).toEqual([])
  })
})

describe('an error', () => {
  it('of SQLite is the cause of DrizzleQueryError', async () => {
    const { db } = await withNames()
    await db.insert(names).values({ name: 'a' })
    const error = await db
      .insert(names)
      .values({ name: 'a' })
      .then(null, (e: unknown) => e)
    expect(error).toBeInstanceOf(DrizzleQueryError)
    const { cause } = error as DrizzleQueryError
    expect(isSqliteWorkerError(cause)).toBe(true)
    expect(cause).toMatchObject({ code: 'ERR_STATEMENT', sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' })
  })

  it('of a value that SQLite cannot hold, of raw SQL and of a relational query too', async () => {
    const { db } = await withNames()
    const unfit = db.select().from(names).where(eq(names.id, Number.NaN))
    await expect(unfit).rejects.toMatchObject({ cause: { code: 'ERR_VALUE' } })
    await expect(db.all(sql`select * from nowhere`)).rejects.toMatchObject({
      cause: { code: 'ERR_STATEMENT' },
    })
    await expect(db.run(sql`commit`)).rejects.toMatchObject({ cause: { code: 'ERR_TRANSACTION_CONTROL' } })
    const relational = db.query.names.findMany({ where: sql`no_such_column` })
    await expect(relational).rejects.toMatchObject({ cause: { code: 'ERR_STATEMENT' } })
  })

  it('that a transaction handled does not end it', async () => {
    const { db, stored } = await withNames()
    await db.transaction(async (tx) => {
      await tx.insert(names).values({ name: 'a' })
      await expect(tx.insert(names).values({ name: 'a' })).rejects.toMatchObject({
        cause: expect.any(StatementError),
      })
      await tx.insert(names).values({ name: 'b' })
    })
    expect(await stored()).toEqual(['a', 'b'])
  })

  it('of a missing placeholder rejects', async () => {
    const { db } = await withNames()
    const query = db
      .select()
      .from(names)
      .where(eq(names.id, sql.placeholder('id')))
      .prepare()
    await expect(query.all({})).rejects.toThrow('placeholder "id"')
  })
})

describe('an integer beyond 2^53', () => {
  const int64 = customType<{ data: bigint; driverData: number | bigint }>({
    dataType: () => 'integer',
    fromDriver: (value) => BigInt(value),
    toDriver: (value) => value,
  })
  const numbers = sqliteTable('numbers', {
    id: integer().primaryKey(),
    plain: integer(),
    custom: int64(),
    exact: numeric({ mode: 'bigint' }),
    decimal: numeric(),
  })
  const huge = 9_007_199_254_740_993n

  async function withNumbers() {
    const worker = openWorker()
    await worker.execute(
      'CREATE TABLE numbers (id INTEGER PRIMARY KEY, plain INTEGER, custom INTEGER, exact NUMERIC, decimal NUMERIC)',
    )
    return { worker, db: drizzle(worker, { schema: { numbers } }) }
  }

  it('keeps its digits in a custom type and in numeric columns', async () => {
    const { db } = await withNumbers()
    const row = { id: 1, plain: 7, custom: huge, exact: -huge, decimal: String(huge) }
    expect(await db.insert(numbers).values(row).returning()).toEqual([row])
    expect(await db.select().from(numbers)).toEqual([row])
    expect(await db.select().from(numbers).get()).toEqual(row)
    expect(await db.batch([db.select().from(numbers)])).toEqual([[row]])
  })

  it('rejects in an integer column instead of losing digits', async () => {
    const { db, worker } = await withNumbers()
    await worker.execute('INSERT INTO numbers (id, plain) VALUES (1, ?)', [huge])
    await expect(db.select().from(numbers)).rejects.toMatchObject({ cause: { code: 'ERR_INTEGER_RANGE' } })
    await expect(db.select({ plain: numbers.plain }).from(numbers)).rejects.toMatchObject({
      cause: { code: 'ERR_INTEGER_RANGE' },
    })
  })
})

it('tells a logger of every query, with its parameters', async () => {
  const { worker } = await withNames()
  const logged: unknown[] = []
  const db = drizzle(worker, { logger: { logQuery: (query, params) => logged.push([query, params]) } })
  await db.insert(names).values({ name: 'a' })
  await db.batch([db.select({ id: names.id }).from(names).where(eq(names.name, 'a'))])
  await db.transaction((tx) => tx.delete(names))
  expect(logged).toEqual([
    ['insert into "names" ("id", "name") values (null, ?)', ['a']],
    ['select "id" from "names" where "names"."name" = ?', ['a']],
    ['delete from "names"', []],
  ])
})

describe('a cache', () => {
  class MapCache extends Cache {
    readonly entries = new Map<string, unknown[]>()
    readonly mutated: unknown[] = []

    strategy() {
      return 'all' as const
    }

    async get(key: string) {
      return this.entries.get(key)
    }

    async put(key: string, response: unknown[]) {
      this.entries.set(key, structuredClone(response))
    }

    async onMutate({ tables }: MutationOption) {
      this.mutated.push(tables)
      this.entries.clear()
    }
  }

  it('answers selects until their table is written', async () => {
    const { worker } = await withNames()
    const cache = new MapCache()
    const db = drizzle(worker, { cache })
    const read = () => db.select().from(names)
    expect(await read()).toEqual([])
    await worker.insert('names', { name: 'behind its back' })
    expect(await read()).toEqual([])
    await db.insert(names).values({ name: 'a' })
    expect(await read()).toHaveLength(2)
    await db.batch([db.delete(names), db.select().from(names)])
    expect(await read()).toEqual([])
    await db.$cache.invalidate({ tables: 'names' })
    expect(cache.mutated).toEqual([['names'], ['names'], 'names'])
  })
})

it('names an unknown option', async () => {
  const { worker } = await withNames()
  // @ts-expect-error a misspelt option
  expect(() => drizzle(worker, { shema: {} })).toThrow('did you mean "schema"')
})

it('leaves the worker open and gives it as $client', async () => {
  const { worker, db } = await withNames()
  expect(drizzle(worker).$client).toBe(worker)
  expect(await db.get(sql`select 1 as one`)).toEqual({ one: 1 })
})
