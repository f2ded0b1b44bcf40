import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryDirectory } from '@outrider/test-kit'
import { and, count, eq, ilike, relations, sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  customType,
  date,
  integer,
  jsonb,
  numeric,
  pgTable,
  serial,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { drizzle, migrate, type PhantomDBDatabase } from '../src/drizzle/index.ts'
import { SerializationError, UniqueViolationError, type PhantomDBClient } from '../src/index.ts'
import { useServer } from './fixture.ts'

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

const users = pgTable('users', {
  id: serial().primaryKey(),
  email: text().notNull().unique(),
  age: integer(),
  balance: numeric({ precision: 12, scale: 2 }),
  big: bigint({ mode: 'bigint' }),
  count: bigint({ mode: 'number' }),
  meta: jsonb().$type<unknown>(),
  active: boolean().default(true),
  key: uuid().defaultRandom(),
  born: date(),
  tags: text().array(),
  avatar: bytea(),
  seen: timestamp({ withTimezone: true }),
  seenText: timestamp('seen_text', { withTimezone: true, mode: 'string' }),
  local: timestamp(),
})
const posts = pgTable('posts', {
  id: serial().primaryKey(),
  userId: integer('user_id').references(() => users.id),
  title: text().notNull(),
})
const usersRelations = relations(users, ({ many }) => ({ posts: many(posts) }))
const postsRelations = relations(posts, ({ one }) => ({
  user: one(users, { fields: [posts.userId], references: [users.id] }),
}))
const schema = { users, posts, usersRelations, postsRelations }

const migration = `create table users (
  id serial primary key, email text not null unique, age int, balance numeric(12, 2), big bigint, count bigint,
  meta jsonb, active boolean default true, key uuid default gen_random_uuid(), born date, tags text[], avatar bytea,
  seen timestamptz, seen_text timestamptz, local timestamp)
--> statement-breakpoint
create table posts (id serial primary key, user_id int references users (id), title text not null)`

/** A folder of migrations as drizzle-kit writes them. */
async function migrations(folder: string, files: readonly string[]): Promise<string> {
  await mkdir(join(folder, 'meta'), { recursive: true })
  const entries = files.map((_, idx) => ({
    idx,
    version: '7',
    when: idx + 1,
    tag: `000${idx}`,
    breakpoints: true,
  }))
  const journal = { version: '7', dialect: 'postgresql', entries }
  await writeFile(join(folder, 'meta', '_journal.json'), JSON.stringify(journal))
  for (const [index, content] of files.entries()) await writeFile(join(folder, `000${index}.sql`), content)
  return folder
}

const server = useServer()
let client: PhantomDBClient
let db: PhantomDBDatabase<typeof schema> & { $client: PhantomDBClient }

beforeAll(async () => {
  client = server.connect('drizzle')
  db = drizzle(client, { schema })
  await using folder = await temporaryDirectory()
  await migrate(db, { migrationsFolder: await migrations(folder.path, [migration]) })
})

beforeEach(async () => {
  await db.execute(sql`truncate users, posts restart identity`)
})

describe('queries', () => {
  it('give every type back as Drizzle has it', async () => {
    const row = {
      email: 'ada@x',
      age: 36,
      balance: '12.30',
      big: 9007199254740993n,
      count: 42,
      meta: { list: [1, null] },
      born: '1815-12-10',
      tags: ['a,b', 'c"d'],
      avatar: Buffer.from('hi'),
      seen: new Date('2024-02-29T12:00:00.123Z'),
      seenText: '2024-02-29 12:00:00.123+00',
      local: new Date('2024-02-29T12:00:00.5Z'),
    }
    const [inserted] = await db.insert(users).values(row).returning()
    expect(inserted).toEqual({
      ...row,
      id: 1,
      active: true,
      key: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      seenText: expect.any(String) as string,
    })
    expect(new Date(inserted?.seenText ?? '')).toEqual(new Date(row.seenText))
    expect(await db.select().from(users)).toEqual([inserted])
    expect(await db.query.users.findMany({ columns: { seen: true, big: true, avatar: true } })).toEqual([
      { seen: row.seen, big: row.big, avatar: row.avatar },
    ])
  })

  it('keep json that is a string or a number what it is', async () => {
    for (const meta of ['text', 1.5, true, []]) {
      const [row] = await db
        .insert(users)
        .values({ email: crypto.randomUUID(), meta })
        .returning({ meta: users.meta })
      expect(row).toEqual({ meta })
    }
  })

  it('insert, update and delete, and say how many', async () => {
    await db.insert(users).values([
      { email: 'a@x', age: 1 },
      { email: 'b@x', age: 2 },
    ])
    expect(await db.update(users).set({ age: 3 }).where(eq(users.email, 'a@x'))).toMatchObject({
      rowCount: 1,
    })
    expect(await db.update(users).set({ age: 4 }).returning({ age: users.age })).toEqual([
      { age: 4 },
      { age: 4 },
    ])
    const upsert = db.insert(users).values({ email: 'a@x', age: 9 })
    await upsert.onConflictDoUpdate({ target: users.email, set: { age: 5 } })
    expect(await db.$count(users, eq(users.age, 5))).toBe(1)
    expect(await db.delete(users).where(eq(users.age, 4))).toMatchObject({ rowCount: 1, affectedRows: 1 })
  })

  it('join, aggregate and relate', async () => {
    const [ada, bob] = await db
      .insert(users)
      .values([{ email: 'ada@x' }, { email: 'bob@x' }])
      .returning()
    await db.insert(posts).values([
      { userId: ada?.id, title: 'one' },
      { userId: ada?.id, title: 'two' },
    ])
    const joined = await db
      .select()
      .from(users)
      .leftJoin(posts, eq(posts.userId, users.id))
      .orderBy(users.id, posts.id)
    expect(joined.map((row) => [row.users.email, row.posts?.title ?? null])).toEqual([
      ['ada@x', 'one'],
      ['ada@x', 'two'],
      ['bob@x', null],
    ])
    const totals = await db.select({ userId: posts.userId, n: count() }).from(posts).groupBy(posts.userId)
    expect(totals).toEqual([{ userId: ada?.id, n: 2 }])
    const found = await db.query.users.findFirst({ with: { posts: true }, where: ilike(users.email, 'ADA%') })
    expect(found?.posts.map(({ title }) => title)).toEqual(['one', 'two'])
    const back = await db.query.posts.findMany({ with: { user: { columns: { email: true, seen: true } } } })
    expect(back[0]?.user).toEqual({ email: 'ada@x', seen: null })
    expect(bob?.id).toBe(2)
  })

  it('are prepared with placeholders', async () => {
    await db.insert(users).values([
      { email: 'a@x', age: 1 },
      { email: 'b@x', age: 2 },
    ])
    const where = and(eq(users.age, sql.placeholder('age')), ilike(users.email, sql.placeholder('email')))
    const prepared = db.select({ email: users.email }).from(users).where(where).prepare('by_age')
    expect(await prepared.execute({ age: 1, email: 'A%' })).toEqual([{ email: 'a@x' }])
    expect(await prepared.execute({ age: 2, email: 'A%' })).toEqual([])
  })

  it('are raw too', async () => {
    expect(await db.execute(sql`select ${1}::int as one`)).toMatchObject({ rows: [{ one: 1 }], rowCount: 1 })
  })

  it('are told to the logger', async () => {
    const queries: string[] = []
    const logged = drizzle(client, {
      logger: { logQuery: (query, params) => queries.push(`${query} ${params.length}`) },
    })
    await logged.select({ id: users.id }).from(users).where(eq(users.id, 1))
    expect(queries).toEqual(['select "id" from "users" where "users"."id" = $1 1'])
  })

  it('fail with the error of the client as the cause', async () => {
    await db.insert(users).values({ email: 'a@x' })
    const failed = db.insert(users).values({ email: 'a@x' })
    await expect(failed).rejects.toMatchObject({
      name: 'Error',
      cause: { details: { constraint: 'users_email_key' } },
    })
    const error = (await failed.catch((cause: unknown) => cause)) as Error
    expect(error.cause).toBeInstanceOf(UniqueViolationError)
  })
})

describe('transactions', () => {
  const emails = async () => (await db.select().from(users).orderBy(users.id)).map(({ email }) => email)

  it('commit, and are not seen before', async () => {
    await db.transaction(async (tx) => {
      await tx.insert(users).values({ email: 'a@x' })
      expect(await emails()).toEqual([])
      expect(await tx.query.users.findMany({ columns: { email: true } })).toEqual([{ email: 'a@x' }])
    })
    expect(await emails()).toEqual(['a@x'])
  })

  it('roll back on an error and on rollback()', async () => {
    const boom = new Error('boom')
    const failed = db.transaction(async (tx) => {
      await tx.insert(users).values({ email: 'a@x' })
      throw boom
    })
    await expect(failed).rejects.toBe(boom)
    await expect(db.transaction(async (tx) => tx.rollback())).rejects.toThrow('Rollback')
    expect(await emails()).toEqual([])
  })

  it('run at the same time, one of them rolling back', async () => {
    const one = db.transaction(async (tx) => {
      await tx.insert(users).values({ email: 'kept@x' })
      await tx
        .insert(posts)
        .values({ userId: 1, title: 'x' })
        .catch(() => {})
      throw new Error('not this one')
    })
    const other = db.transaction((tx) => tx.insert(users).values({ email: 'b@x' }).returning())
    await expect(one).rejects.toThrow('not this one')
    expect(await other).toHaveLength(1)
    expect(await emails()).toEqual(['b@x'])
  })

  it('nested undo only themselves', async () => {
    await db.transaction(async (tx) => {
      await tx.insert(users).values({ email: 'a@x' })
      const failed = tx.transaction(async (nested) => {
        await nested.insert(users).values({ email: 'b@x' })
        await nested.transaction((deeper) => deeper.insert(users).values({ email: 'c@x' }))
        await nested.insert(users).values({ email: 'a@x' })
      })
      await expect(failed).rejects.toMatchObject({ cause: { sqlstate: '23505' } })
      await tx.transaction((nested) => nested.insert(users).values({ email: 'd@x' }))
    })
    expect(await emails()).toEqual(['a@x', 'd@x'])
  })

  it('nested at the same time take turns', async () => {
    await db.transaction(async (tx) => {
      const nested = ['a@x', 'fails', 'c@x'].map((email) =>
        tx.transaction(async (inner) => {
          await inner.insert(users).values({ email })
          if (email === 'fails') throw new Error(email)
        }),
      )
      const outcomes = await Promise.allSettled(nested)
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    })
    expect(await emails()).toEqual(['a@x', 'c@x'])
  })

  it('have the isolation asked for', async () => {
    await db.insert(users).values({ email: 'a@x', age: 0 })
    const bump = (seen: () => void, other: Promise<void>) =>
      db.transaction(
        async (tx) => {
          const [row] = await tx.select().from(users)
          seen()
          await other
          await tx.update(users).set({ age: (row?.age ?? 0) + 1 })
        },
        { isolationLevel: 'repeatable read' },
      )
    const [first, second] = [gate(), gate()]
    const outcomes = await Promise.allSettled([
      bump(first.open, second.opened),
      bump(second.open, first.opened),
    ])
    const failed = outcomes.find((each) => each.status === 'rejected')
    expect(failed?.reason).toHaveProperty('cause', expect.any(SerializationError))
    const reader = db.transaction((tx) => tx.delete(users), { accessMode: 'read only', deferrable: true })
    await expect(reader).rejects.toMatchObject({ cause: { sqlstate: '25006' } })
  })
})

describe('migrate', () => {
  it('applies each migration once, also when processes do it at the same time', async () => {
    await using folder = await temporaryDirectory()
    const files = ['create table steps (n int)', 'insert into steps values (1)']
    const migrationsFolder = await migrations(folder.path, files)
    const dbs = [1, 2, 3].map(() => drizzle(server.connect('migrated')))
    await Promise.all(dbs.map((each) => migrate(each, { migrationsFolder })))
    for (const each of dbs) await migrate(each, { migrationsFolder })
    await migrations(folder.path, [...files, 'insert into steps values (2)'])
    await migrate(dbs[0] ?? db, { migrationsFolder })
    expect((await client.db('migrated').query('select n from steps order by n')).rows).toEqual([
      { n: 1 },
      { n: 2 },
    ])
  })

  it('applies nothing when a statement fails', async () => {
    await using folder = await temporaryDirectory()
    const files = ['create table halves (n int)\n--> statement-breakpoint\ninsert into halves values (1/0)']
    const broken = server.connect('broken')
    const migrationsFolder = await migrations(folder.path, files)
    await expect(migrate(drizzle(broken), { migrationsFolder })).rejects.toMatchObject({
      cause: { sqlstate: '22012' },
    })
    expect(await broken.listTables()).toEqual([])
  })
})

/** A promise to be resolved by hand. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}
