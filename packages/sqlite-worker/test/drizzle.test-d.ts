import { relations, sql } from 'drizzle-orm'
import { integer, numeric, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { expectTypeOf, it } from 'vitest'
import { drizzle, type SqliteWorkerDatabase, type SqliteWorkerRunResult } from '../src/drizzle/index.ts'
import { SqliteWorker } from '../src/index.ts'

const users = sqliteTable('users', {
  id: integer().primaryKey(),
  name: text().notNull(),
  invitedBy: integer(),
})
const posts = sqliteTable('posts', {
  id: integer().primaryKey(),
  authorId: integer(),
  title: text().notNull(),
})
const values = sqliteTable('values', { big: numeric({ mode: 'bigint' }), at: integer({ mode: 'timestamp' }) })
const usersRelations = relations(users, ({ many }) => ({ posts: many(posts) }))
const postsRelations = relations(posts, ({ one }) => ({
  author: one(users, { fields: [posts.authorId], references: [users.id] }),
}))
const schema = { users, posts, values, usersRelations, postsRelations }

const worker = new SqliteWorker(':memory:')
const db = drizzle(worker, { schema })

it('infers rows of selects, joins and returning', async () => {
  expectTypeOf(await db.select().from(users)).toEqualTypeOf<
    { id: number; name: string; invitedBy: number | null }[]
  >()
  expectTypeOf(await db.select({ big: values.big, at: values.at }).from(values).get()).toEqualTypeOf<
    { big: bigint | null; at: Date | null } | undefined
  >()
  const joined = await db
    .select({ name: users.name, title: posts.title })
    .from(users)
    .leftJoin(posts, sql`true`)
  expectTypeOf(joined).toEqualTypeOf<{ name: string; title: string | null }[]>()
  expectTypeOf(await db.insert(users).values({ name: 'a' }).returning({ id: users.id })).toEqualTypeOf<
    { id: number }[]
  >()
  expectTypeOf(await db.insert(users).values({ name: 'a' })).toEqualTypeOf<SqliteWorkerRunResult>()
})

it('infers rows of relational queries, and of batches', async () => {
  const found = await db.query.users.findFirst({
    columns: { name: true },
    with: { posts: { columns: { id: true } } },
  })
  expectTypeOf(found).toEqualTypeOf<{ name: string; posts: { id: number }[] } | undefined>()
  const results = await db.batch([db.delete(posts), db.select({ id: users.id }).from(users)])
  expectTypeOf(results).toEqualTypeOf<[SqliteWorkerRunResult, { id: number }[]]>()
})

it('gives a transaction the result of its callback, and the database its worker', () => {
  expectTypeOf(db.transaction(async (tx) => (await tx.query.users.findMany()).length)).toEqualTypeOf<
    Promise<number>
  >()
  expectTypeOf(db.$client).toEqualTypeOf<SqliteWorker>()
  expectTypeOf(db).toExtend<SqliteWorkerDatabase<typeof schema>>()
})

it('refuses what does not fit', () => {
  // @ts-expect-error name is required
  void db.insert(users).values({ id: 1 })
  // @ts-expect-error no such table in the schema
  void db.query.nobody
  // @ts-expect-error relational queries need a schema
  void drizzle(worker).query.users
  // @ts-expect-error a misspelt option
  void drizzle(worker, { casting: 'snake_case' })
  // @ts-expect-error not a worker
  void drizzle({})
})
