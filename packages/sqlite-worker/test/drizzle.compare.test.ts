import Database from 'better-sqlite3'
import {
  and,
  asc,
  count,
  countDistinct,
  desc,
  eq,
  exists,
  gt,
  inArray,
  like,
  relations,
  sql,
  sum,
} from 'drizzle-orm'
import { drizzle as drizzleBetterSqlite3 } from 'drizzle-orm/better-sqlite3'
import {
  alias,
  blob,
  customType,
  integer,
  numeric,
  primaryKey,
  real,
  sqliteTable,
  sqliteView,
  text,
  union,
  unionAll,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core'
import { expect, it } from 'vitest'
import { drizzle, type SqliteWorkerDatabase } from '../src/drizzle/index.ts'
import { openWorker, temporaryFile } from './fixture.ts'

/** An integer of 64 bits. */
const int64 = customType<{ data: bigint; driverData: number | bigint }>({
  dataType: () => 'integer',
  fromDriver: (value) => BigInt(value),
  toDriver: (value) => value,
})

/** A blob whose driver value must be a Buffer. */
const hexBytes = customType<{ data: string; driverData: Buffer }>({
  dataType: () => 'blob',
  fromDriver: (value) => value.toString('hex'),
  toDriver: (value) => Buffer.from(value, 'hex'),
})

const values = sqliteTable('values', {
  id: integer().primaryKey({ autoIncrement: true }),
  flag: integer({ mode: 'boolean' }),
  at: integer({ mode: 'timestamp' }),
  atMs: integer({ mode: 'timestamp_ms' }),
  json: text({ mode: 'json' }).$type<{ tags: string[] }>(),
  kind: text({ enum: ['a', 'b'] }),
  bytes: blob({ mode: 'buffer' }),
  blobJson: blob({ mode: 'json' }).$type<number[]>(),
  blobBigint: blob({ mode: 'bigint' }),
  price: real(),
  decimal: numeric(),
  decimalNumber: numeric({ mode: 'number' }),
  decimalBigint: numeric({ mode: 'bigint' }),
  big: int64(),
  hex: hexBytes(),
  made: text().$defaultFn(() => 'made'),
  doubled: integer().generatedAlwaysAs(sql`price * 2`),
})

const users = sqliteTable(
  'users',
  {
    id: integer().primaryKey(),
    name: text().notNull(),
    invitedBy: integer('invited_by'),
  },
  (table) => [uniqueIndex('users_name').on(table.name)],
)

const posts = sqliteTable('posts', {
  id: integer().primaryKey(),
  authorId: integer('author_id')
    .notNull()
    .references(() => users.id, { onDelete: 'cascade' }),
  title: text().notNull(),
  published: integer({ mode: 'boolean' }).notNull().default(false),
  createdAt: integer('created_at', { mode: 'timestamp' }).notNull(),
})

const tags = sqliteTable('tags', { id: integer().primaryKey(), label: text().notNull() })

const postTags = sqliteTable(
  'post_tags',
  { postId: integer('post_id').notNull(), tagId: integer('tag_id').notNull() },
  (table) => [primaryKey({ columns: [table.postId, table.tagId] })],
)

const published = sqliteView('published').as((qb) =>
  qb
    .select()
    .from(posts)
    .where(sql`${posts.published} = 1`),
)

const usersRelations = relations(users, ({ one, many }) => ({
  posts: many(posts),
  inviter: one(users, { fields: [users.invitedBy], references: [users.id] }),
}))

const postsRelations = relations(posts, ({ one, many }) => ({
  author: one(users, { fields: [posts.authorId], references: [users.id] }),
  tags: many(postTags),
}))

const postTagsRelations = relations(postTags, ({ one }) => ({
  post: one(posts, { fields: [postTags.postId], references: [posts.id] }),
  tag: one(tags, { fields: [postTags.tagId], references: [tags.id] }),
}))

/** What makes the tables and the view. */
const createAll = [
  `CREATE TABLE "values" (id INTEGER PRIMARY KEY AUTOINCREMENT, flag INTEGER, at INTEGER, atMs INTEGER, json TEXT, kind TEXT,
    bytes BLOB, blobJson BLOB, blobBigint BLOB, price REAL, decimal NUMERIC, decimalNumber NUMERIC, decimalBigint NUMERIC,
    big INTEGER, hex BLOB, made TEXT, doubled INTEGER GENERATED ALWAYS AS (price * 2))`,
  'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, invited_by INTEGER)',
  'CREATE UNIQUE INDEX users_name ON users (name)',
  `CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL)`,
  'CREATE TABLE tags (id INTEGER PRIMARY KEY, label TEXT NOT NULL)',
  'CREATE TABLE post_tags (post_id INTEGER NOT NULL, tag_id INTEGER NOT NULL, PRIMARY KEY (post_id, tag_id))',
  'CREATE VIEW published AS SELECT * FROM posts WHERE published = 1',
]

const schema = {
  values,
  users,
  posts,
  tags,
  postTags,
  published,
  usersRelations,
  postsRelations,
  postTagsRelations,
}
type Db = SqliteWorkerDatabase<typeof schema>

const day = (n: number): Date => new Date(Date.UTC(2026, 0, n))
const invitees = alias(users, 'invitees')

/** Run in order on both drivers; each result must be the same, types of values included. */
const queries: Record<string, (db: Db) => unknown> = {
  'insert one row': (db) => db.insert(users).values({ id: 1, name: 'Ada' }),
  'insert several rows': (db) =>
    db.insert(users).values([
      { id: 2, name: 'Bob', invitedBy: 1 },
      { id: 3, name: 'Cyd', invitedBy: 1 },
      { id: 4, name: 'Dan' },
    ]),
  'insert run': (db) =>
    db
      .insert(tags)
      .values([{ label: 'x' }, { label: 'y' }])
      .run(),
  'insert returning all': (db) =>
    db
      .insert(posts)
      .values([
        { authorId: 1, title: 'One', createdAt: day(1), published: true },
        { authorId: 1, title: 'Two', createdAt: day(2) },
        { authorId: 2, title: 'Three', createdAt: day(3), published: true },
      ])
      .returning(),
  'insert returning some': (db) =>
    db
      .insert(posts)
      .values({ authorId: 3, title: 'Four', createdAt: day(4) })
      .returning({ id: posts.id, at: posts.createdAt }),
  'insert returning get': (db) => db.insert(tags).values({ label: 'z' }).returning().get(),
  'insert composite': (db) =>
    db.insert(postTags).values([
      { postId: 1, tagId: 1 },
      { postId: 1, tagId: 2 },
    ]),
  'every mode of a column': (db) =>
    db
      .insert(values)
      .values({
        flag: true,
        at: day(5),
        atMs: new Date(1_700_000_000_123),
        json: { tags: ['a', "it's"] },
        kind: 'b',
        bytes: Buffer.from([0, 1, 255]),
        blobJson: [1, 2],
        blobBigint: 2n ** 70n,
        price: 1.5,
        decimal: '12.50',
        decimalNumber: 7,
        decimalBigint: 9n,
        big: 5n,
        hex: 'c0ffee',
      })
      .returning(),
  'null in every column': (db) => db.insert(values).values({ id: 99, made: null }).returning(),
  'false, zero and empty': (db) =>
    db
      .insert(values)
      .values({
        flag: false,
        at: new Date(0),
        bytes: Buffer.alloc(0),
        json: { tags: [] },
        price: 0,
        big: 0n,
        hex: '',
      })
      .returning(),
  'select every mode': (db) => db.select().from(values).orderBy(values.id),
  'select raw rows with blobs': (db) => db.all(sql`select * from "values" order by id`),
  'insert on conflict do nothing': (db) =>
    db.insert(users).values({ id: 1, name: 'Ada' }).onConflictDoNothing().returning(),
  'insert on conflict do update': (db) =>
    db
      .insert(users)
      .values({ id: 4, name: 'Dan' })
      .onConflictDoUpdate({ target: users.id, set: { name: sql`excluded.name || '!'` } })
      .returning(),
  'insert from select': (db) =>
    db
      .insert(tags)
      .select(db.select({ id: sql<number>`${users.id} + 100`.as('id'), label: users.name }).from(users))
      .returning(),
  'update returning': (db) => db.update(users).set({ name: 'Dee' }).where(eq(users.id, 4)).returning(),
  'select all': (db) => db.select().from(users).orderBy(users.id),
  'select some': (db) =>
    db
      .select({ n: users.name, nested: { id: users.id } })
      .from(users)
      .orderBy(users.id),
  'select get': (db) => db.select().from(users).where(eq(users.id, 2)).get(),
  'select get of nothing': (db) => db.select().from(users).where(eq(users.id, 77)).get(),
  'select all of nothing': (db) => db.select().from(users).where(eq(users.id, 77)).all(),
  'select values': (db) => db.select().from(posts).orderBy(posts.id).values(),
  'select distinct': (db) => db.selectDistinct({ a: posts.authorId }).from(posts).orderBy(posts.authorId),
  'expressions and aliases': (db) =>
    db
      .select({
        up: sql<string>`upper(${users.name})`.as('up'),
        n: sql<number>`${users.id} * 2`.mapWith(String),
      })
      .from(users)
      .orderBy(sql`up`),
  'aggregates and having': (db) =>
    db
      .select({ author: posts.authorId, n: count(), s: sum(posts.id), d: countDistinct(posts.title) })
      .from(posts)
      .groupBy(posts.authorId)
      .having(gt(count(), 0))
      .orderBy(posts.authorId),
  'inner join of columns with the same name': (db) =>
    db.select().from(posts).innerJoin(users, eq(posts.authorId, users.id)).orderBy(posts.id),
  'left join without a row': (db) =>
    db.select().from(users).leftJoin(posts, eq(posts.authorId, users.id)).orderBy(users.id, posts.id),
  'right join without a row': (db) =>
    db.select().from(posts).rightJoin(users, eq(posts.authorId, users.id)).orderBy(users.id, posts.id),
  'full join': (db) =>
    db.select().from(tags).fullJoin(users, eq(tags.id, users.id)).orderBy(tags.id, users.id),
  'left join with chosen columns': (db) =>
    db
      .select({
        user: users.name,
        post: { id: posts.id, title: posts.title },
        mixed: { a: posts.id, b: users.id },
      })
      .from(users)
      .leftJoin(posts, eq(posts.authorId, users.id))
      .orderBy(users.id, posts.id),
  'self join': (db) =>
    db
      .select()
      .from(users)
      .leftJoin(invitees, eq(invitees.invitedBy, users.id))
      .orderBy(users.id, invitees.id),
  subquery: (db) => {
    const counted = db
      .select({ a: posts.authorId, n: count().as('n') })
      .from(posts)
      .groupBy(posts.authorId)
      .as('counted')
    return db.select().from(users).leftJoin(counted, eq(counted.a, users.id)).orderBy(users.id)
  },
  with: (db) => {
    const early = db.$with('early').as(db.select().from(posts).where(like(posts.title, 'T%')))
    return db.with(early).select().from(early).orderBy(early.id)
  },
  'exists and in': (db) =>
    db
      .select()
      .from(users)
      .where(
        and(
          inArray(users.id, [1, 2, 3]),
          exists(db.select().from(posts).where(eq(posts.authorId, users.id))),
        ),
      )
      .orderBy(desc(users.id)),
  union: (db) =>
    union(db.select({ t: users.name }).from(users), db.select({ t: tags.label }).from(tags)).orderBy(
      asc(sql`1`),
    ),
  'union all of the same': (db) => unionAll(db.select().from(tags), db.select().from(tags)).limit(3),
  view: (db) => db.select().from(published).orderBy(published.id),
  'limit and offset': (db) => db.select().from(posts).orderBy(posts.id).limit(2).offset(1),
  count: (db) => db.$count(posts, eq(posts.published, true)),
  'count inside a select': (db) =>
    db
      .select({ id: users.id, n: db.$count(posts, eq(posts.authorId, users.id)) })
      .from(users)
      .orderBy(users.id),
  'prepared with placeholders': async (db) => {
    const byId = db
      .select()
      .from(users)
      .where(eq(users.id, sql.placeholder('id')))
      .prepare()
    return [
      await byId.get({ id: 1 }),
      await byId.all({ id: 2 }),
      await byId.values({ id: 3 }),
      await byId.get({ id: 9 }),
    ]
  },
  'prepared insert': async (db) => {
    const insert = db
      .insert(posts)
      .values({ authorId: sql.placeholder('author'), title: 'P', createdAt: sql.placeholder('at') })
      .returning()
      .prepare()
    return [await insert.all({ author: 1, at: day(8) }), await insert.get({ author: 2, at: day(9) })]
  },
  findMany: (db) => db.query.users.findMany({ orderBy: users.id }),
  'findMany with relations': (db) =>
    db.query.users.findMany({
      orderBy: users.id,
      with: { posts: { with: { tags: { with: { tag: true } } }, orderBy: posts.id }, inviter: true },
    }),
  'findMany with columns, extras and a limit': (db) =>
    db.query.posts.findMany({
      columns: { title: true, createdAt: true, published: true },
      extras: { loud: sql<string>`upper(${posts.title})`.as('loud') },
      with: { author: { columns: { name: true } } },
      orderBy: desc(posts.id),
      limit: 2,
    }),
  'findMany of every mode': (db) => db.query.values.findMany({ orderBy: values.id }),
  findFirst: (db) => db.query.posts.findFirst({ where: eq(posts.title, 'Two'), with: { author: true } }),
  'findFirst of nothing': (db) => db.query.posts.findFirst({ where: eq(posts.title, 'Nine') }),
  'prepared findFirst': (db) =>
    db.query.users
      .findFirst({ where: eq(users.id, sql.placeholder('id')), with: { posts: true } })
      .prepare()
      .execute({ id: 1 }),
  'raw all': (db) => db.all(sql`select id, name from users order by id`),
  'raw all from text': (db) => db.all('select 1 as one, null as none, 1.5 as half'),
  'raw get': (db) => db.get(sql`select name from users where id = ${1}`),
  'raw get of nothing': (db) => db.get(sql`select name from users where id = ${77}`),
  'raw values': (db) => db.values(sql`select id, name, id from users order by id`),
  'raw run of an insert': (db) => db.run(sql`insert into tags (id, label) values (500, 'raw')`),
  'raw run of DDL': async (db) => void (await db.run('create table made (id integer primary key)')),
  'delete returning': (db) => db.delete(posts).where(eq(posts.authorId, 2)).returning({ id: posts.id }),
  'delete that cascades': (db) => db.delete(users).where(eq(users.id, 1)).returning(),
  'what cascaded': (db) => db.select().from(posts).orderBy(posts.id),
}

/** The text and the parameters of what is a query, not the result of one. */
function textOf(query: unknown): unknown {
  const isQuery = typeof query === 'object' && query !== null && 'toSQL' in query
  if (!isQuery) return undefined
  const { sql: text, params } = (query as { toSQL(): { sql: string; params: unknown[] } }).toSQL()
  return { text, params }
}

it('gives what drizzle-orm/better-sqlite3 gives', async () => {
  const ours = openWorker()
  const theirs = new Database(temporaryFile())
  for (const sqlText of createAll) {
    await ours.execute(sqlText)
    theirs.exec(sqlText)
  }
  const ourDb = drizzle(ours, { schema })
  const theirDb = drizzleBetterSqlite3(theirs, { schema }) as unknown as Db
  for (const [name, query] of Object.entries(queries)) {
    const [expected, actual] = [query(theirDb), query(ourDb)]
    expect(textOf(actual), name).toStrictEqual(textOf(expected))
    const result = await expected
    expect(await actual, name).toStrictEqual(result)
  }
  theirs.close()
})

it('gives the number of changed rows of an update and a delete', async () => {
  const worker = openWorker()
  for (const sqlText of createAll) await worker.execute(sqlText)
  const db = drizzle(worker, { schema })
  await db.insert(tags).values([{ label: 'x' }, { label: 'y' }])
  expect(await db.update(tags).set({ label: 'z' })).toEqual({ changes: 2, lastInsertRowid: 0 })
  expect(await db.delete(tags).where(eq(tags.id, 1))).toEqual({ changes: 1, lastInsertRowid: 0 })
})

it('names columns by casing', async () => {
  const people = sqliteTable('people', { id: integer().primaryKey(), firstName: text() })
  const worker = openWorker()
  await worker.execute('CREATE TABLE people (id INTEGER PRIMARY KEY, first_name TEXT)')
  const db = drizzle(worker, { casing: 'snake_case', schema: { people } })
  expect(await db.insert(people).values({ firstName: 'Ada' }).returning()).toEqual([
    { id: 1, firstName: 'Ada' },
  ])
  expect(await db.query.people.findFirst()).toEqual({ id: 1, firstName: 'Ada' })
})
