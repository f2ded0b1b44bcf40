import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { bulkCreateInSteps } from '../src/index.ts'

const items = sqliteTable('items', {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
  made: text().$defaultFn(() => sql`upper('sql')`),
  touched: text().$onUpdate(() => sql`'now'`),
})

function open(logger = false) {
  const client = new Database(':memory:')
  client.exec(
    'create table items (id integer primary key, name text not null unique, made text, touched text)',
  )
  const logged: string[] = []
  const db = drizzle(client, logger ? { logger: { logQuery: (query) => logged.push(query) } } : {})
  return { client, db, logged }
}

const plain = sqliteTable('items', { id: integer().primaryKey(), name: text().notNull().unique() })
const named = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `n${i}` }))

describe('better-sqlite3', () => {
  it.each([1000, 100_000])('creates 100,000 rows in steps of %i', async (step) => {
    const { db, client } = open()
    const made = await bulkCreateInSteps(db, plain, named(100_000), { step })
    expect(made).toHaveLength(100_000)
    expect(made[99_999]).toEqual({ id: 100_000, name: 'n99999' })
    expect(client.prepare('select count(*) from items').pluck().get()).toBe(100_000)
  })

  it('writes tables with more columns than a statement has parameters for two rows', async () => {
    const names = Array.from({ length: 1800 }, (_, i) => `c${i}`)
    const wide = sqliteTable('wide', Object.fromEntries(names.map((name) => [name, integer()])))
    const { db, client } = open()
    client.exec(`create table wide (${names.map((name) => `${name} integer`).join()})`)
    const rows = Array.from({ length: 40 }, (_, i) => Object.fromEntries(names.map((name) => [name, i])))
    expect(await bulkCreateInSteps(db, wide, rows)).toEqual(rows)
  })

  it('has written everything when the promise is returned', () => {
    const { db, client } = open()
    let call: Promise<unknown> = Promise.resolve()
    const rollBack = () =>
      db.transaction((tx) => {
        call = bulkCreateInSteps(tx, plain, named(3))
        expect(client.prepare('select count(*) from items').pluck().get()).toBe(3)
        tx.rollback()
      })
    expect(rollBack).toThrow('Rollback')
    expect(client.prepare('select count(*) from items').pluck().get()).toBe(0)
    return call
  })

  it('is a savepoint in a transaction begun by hand', async () => {
    const { db, client } = open()
    client.exec('begin')
    await bulkCreateInSteps(db, plain, named(2))
    await expect(bulkCreateInSteps(db, plain, named(3))).rejects.toThrow('row 0 of items')
    client.exec('commit')
    expect(client.prepare('select count(*) from items').pluck().get()).toBe(2)
  })

  it('takes SQL expressions as defaults and on update', async () => {
    const { db } = open()
    const [made] = await bulkCreateInSteps(db, items, named(1))
    expect(made).toEqual({ id: 1, name: 'n0', made: 'SQL', touched: 'now' })
    const onConflict = { target: 'name' } as const
    const again = await bulkCreateInSteps(
      db,
      items,
      [{ name: 'n0', made: 'x', touched: 'y' }, { name: 'n1' }],
      { onConflict },
    )
    expect(again).toEqual([
      { id: 1, name: 'n0', made: 'x', touched: 'y' },
      { id: 2, name: 'n1', made: 'SQL', touched: 'now' },
    ])
  })

  it('says when a trigger leaves rows out, whose keys cannot be told', async () => {
    const { db, client } = open()
    client.exec(
      `create trigger skip before insert on items when new.name = 'n0' begin select raise(ignore); end`,
    )
    await expect(bulkCreateInSteps(db, plain, named(2))).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    const counts = await bulkCreateInSteps(db, plain, named(2), { returning: 'none' })
    expect(counts).toMatchObject({ created: 1 })
  })

  it('tells the logger of the database what it runs', async () => {
    const { db, logged } = open(true)
    await bulkCreateInSteps(db, plain, named(2))
    expect(logged).toEqual(['insert into "items" ("name") values (?),(?) returning "id"'])
  })
})
