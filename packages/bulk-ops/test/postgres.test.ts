import { describeWith, startPostgresServer, type TestPostgresServer } from '@outrider/test-kit'
import { sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import {
  char,
  date,
  foreignKey,
  integer,
  pgEnum,
  pgSchema,
  pgTable,
  point,
  primaryKey,
  real,
  serial,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import { Client, Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { bulkCreateBulksInSteps, bulkCreateInSteps, ref } from '../src/index.ts'

const shop = pgSchema('Shop')
const mood = shop.enum('Mood "x"', ['glad', 'so so'])
const size = pgEnum('size', ['s', 'm'])
const goods = shop.table('Goods', {
  id: uuid().primaryKey().defaultRandom(),
  camelCase: text(),
  mood: mood(),
  sizes: size().array(),
  moods: mood().array(),
  codes: char({ length: 3 }).array(),
  tags: text().array(),
  grid: integer().array().array(),
  code: char({ length: 3 }),
  day: date({ mode: 'date' }),
  at: timestamp({ precision: 0 }),
  place: point(),
  weight: real(),
})
const items = pgTable('items', { id: serial().primaryKey(), name: text().unique(), n: integer() })
const pairs = pgTable('pairs', { a: integer(), b: integer() }, (table) => [
  primaryKey({ columns: [table.a, table.b] }),
])
const parts = pgTable('parts', { id: serial().primaryKey(), pa: integer(), pb: integer() }, (table) => [
  foreignKey({ columns: [table.pa, table.pb], foreignColumns: [pairs.a, pairs.b] }),
])

describeWith('postgres', 'node-postgres', () => {
  let server: TestPostgresServer
  let pool: Pool
  let db: NodePgDatabase
  let other: Client
  beforeAll(async () => {
    server = await startPostgresServer()
    const { url } = await server.createDatabase()
    pool = new Pool({ connectionString: url })
    other = new Client({ connectionString: url })
    await other.connect()
    db = drizzle(pool, { casing: 'snake_case' })
    await pool.query(`
      create schema "Shop";
      create type "Shop"."Mood ""x""" as enum ('glad', 'so so');
      create type size as enum ('s', 'm');
      create table "Shop"."Goods" (id uuid primary key default gen_random_uuid(), camel_case text, mood "Shop"."Mood ""x""",
        sizes size[], moods "Shop"."Mood ""x"""[], codes char(3)[], tags text[], grid int[][], code char(3), day date, at timestamp(0), place point, weight real);
      create table items (id serial primary key, name text unique, n int);
      create table pairs (a int, b int, primary key (a, b));
      create table parts (id serial primary key, pa int, pb int, foreign key (pa, pb) references pairs)`)
  })
  afterAll(async () => {
    await other.end()
    await pool.end()
    await server.stop()
  })
  beforeEach(() => pool.query('truncate items, pairs, parts, "Shop"."Goods"'))

  it('writes names, arrays, enums and values that the database rounds', async () => {
    const rows = [
      {
        camelCase: 'x',
        mood: 'so so' as const,
        sizes: ['s' as const, 'm' as const],
        moods: ['so so' as const],
        codes: ['abc'],
        tags: ['a,b', '"', '\\', 'NULL', ''],
        grid: [
          [1, 2],
          [3, 4],
        ],
        code: 'ab',
        day: new Date('2024-02-29T23:00:00Z'),
        at: new Date('2024-02-29T12:00:00.600Z'),
        place: [1.5, -2] as [number, number],
        weight: 0.1,
      },
      { tags: [] },
      {},
    ]
    const made = await bulkCreateInSteps(db, goods, rows)
    const stored = await db.select().from(goods)
    expect(made).toEqual(made.map(({ id }) => stored.find((each) => each.id === id)))
    expect(made[0]).toMatchObject({
      ...rows[0],
      code: 'ab ',
      day: new Date('2024-02-29'),
      at: new Date('2024-02-29T12:00:01Z'),
    })
    const onConflict = { target: 'id' } as const
    const again = (more: object) =>
      bulkCreateInSteps(db, goods, [{ ...made[0], ...more }], { onConflict, returning: 'none' })
    expect(await again({})).toMatchObject({ unchanged: 1 })
    for (const change of [{ place: [1, 1] }, { tags: null }, { mood: 'glad' }, { weight: 1 }]) {
      expect(await again(change)).toMatchObject({ updated: 1 })
      await again({})
    }
  })

  it.each(['abcd', 'abc  d'])('refuses %j where char(3) stands', async (code) => {
    const lists = [{ codes: ['abc'] }, { codes: [code] }]
    await expect(bulkCreateInSteps(db, goods, lists)).rejects.toMatchObject({ rowIndex: 1 })
    await expect(bulkCreateInSteps(db, goods, [{ code: 'abc' }, { code }])).rejects.toMatchObject({
      rowIndex: 1,
    })
  })

  it('creates 100,000 rows at once, also of different columns', async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) =>
      i % 2 === 0 ? { name: `n${i}` } : { name: `n${i}`, n: i },
    )
    const made = await bulkCreateInSteps(db, items, rows, { step: 100_000 })
    expect(made[99_999]).toMatchObject({ name: 'n99999', n: 99_999 })
    expect(made[99_998]).toMatchObject({ name: 'n99998', n: null })
  })

  it('fills in keys of several columns', async () => {
    const pair = { a: 1, b: 2 }
    const made = await bulkCreateBulksInSteps(db, [
      [parts, [{ pa: ref(pair), pb: ref(pair) }]],
      [pairs, [pair]],
    ])
    expect(made.get(parts)).toMatchObject([{ pa: 1, pb: 2 }])
  })

  it('finds what other transactions create at the same time', async () => {
    await other.query('begin')
    await other.query("insert into items (name, n) values ('same', 1), ('other', 1)")
    const call = bulkCreateInSteps(
      db,
      items,
      [
        { name: 'same', n: 1 },
        { name: 'other', n: 2 },
        { name: 'own', n: 3 },
      ],
      { onConflict: { target: 'name' } },
    )
    const waits =
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'with bulk_given%'"
    while ((await pool.query(waits)).rowCount === 0) await pool.query('select 1')
    await other.query('commit')
    expect((await call).map(({ name, n }) => [name, n])).toEqual([
      ['same', 1],
      ['other', 2],
      ['own', 3],
    ])
    expect(await db.select().from(items)).toHaveLength(3)
  })

  it('says when a trigger leaves rows out, whose keys cannot be told', async () => {
    await pool.query(`
      create function skip() returns trigger language plpgsql as $$ begin
        if new.name = 'skipped' then return null; end if; return new; end $$;
      create trigger skip before insert on items for each row execute function skip()`)
    const rows = [{ name: 'skipped' }, { name: 'kept' }]
    await expect(bulkCreateInSteps(db, items, rows)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await bulkCreateInSteps(db, items, rows, { returning: 'none' })
    expect(await db.select({ name: items.name }).from(items)).toEqual([{ name: 'kept' }])
    await pool.query('drop trigger skip on items')
  })

  it('tells rows that this transaction created from new ones', async () => {
    const options = { onConflict: { target: 'name' }, returning: 'none' } as const
    await db.transaction(async (tx) => {
      await bulkCreateInSteps(tx, items, [{ name: 'a', n: 1 }])
      expect(await bulkCreateInSteps(tx, items, [{ name: 'a', n: 2 }, { name: 'b' }], options)).toEqual({
        created: 1,
        updated: 1,
        unchanged: 0,
      })
    })
  })

  it('takes SQL expressions', async () => {
    const rows = [{ name: sql`upper('a')` as never, n: 1 }]
    expect(await bulkCreateInSteps(db, items, rows)).toMatchObject([{ name: 'A', n: 1 }])
  })
})
