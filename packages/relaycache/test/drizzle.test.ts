import { startPostgresServer, describeWith, eventually, type TestPostgresServer } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { customType, integer, jsonb, pgSchema, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { drizzle as drizzleProxy } from 'drizzle-orm/pg-proxy'
import { sqliteTable, text as sqliteText } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { relayDrizzleCache, type RelayDrizzleCacheOptions } from '../src/drizzle/index.ts'
import { InMemoryCache, InvalidationUnconfirmedError, type CacheBackend } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { latch } from './latch.ts'

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
const books = pgTable('books', {
  id: integer().primaryKey(),
  title: text().notNull(),
  at: timestamp().defaultNow().notNull(),
  cover: bytea(),
  data: jsonb().$type<{ pages: number[] }>(),
})
const prices = pgSchema('shop').table('prices', { id: integer().primaryKey(), cents: integer().notNull() })
const DDL = `
  create table books (id int primary key, title text not null, at timestamp not null default now(), cover bytea, data jsonb);
  create schema shop;
  create table shop.prices (id int primary key, cents int not null);`

describeWith('postgres', 'relayDrizzleCache', () => {
  let server: TestPostgresServer
  const closers: (() => Promise<unknown>)[] = []
  let url: string
  beforeAll(async () => {
    server = await startPostgresServer()
    const database = await server.createDatabase()
    ;({ url } = database)
    const db = drizzle(url)
    await db.$client.query(DDL)
    closers.push(() => db.$client.end())
  })
  afterAll(async () => {
    for (const close of closers) await close()
    await server.stop()
  })

  describeEachBackend('with node-postgres', (create) => {
    let backend: CacheBackend
    let sent: string[]
    beforeEach(async () => {
      backend = create()
      const { db } = open()
      await db.delete(books)
      await db.delete(prices)
      await db.insert(books).values({ id: 1, title: 'Dune' })
      backend = create()
    })

    function open(options: Partial<RelayDrizzleCacheOptions> = {}) {
      const queries = relayDrizzleCache({ ttl: 60, backend, settle: '50ms', ...options })
      sent = []
      const logger = { logQuery: () => undefined }
      const db = drizzle(url, { cache: queries, logger })
      const query = db.$client.query.bind(db.$client)
      db.$client.query = ((config: string | { text: string }, ...rest: unknown[]) => {
        sent.push((typeof config === 'string' ? config : config.text).split(' ', 1)[0] ?? '')
        return (query as (...args: unknown[]) => unknown)(config, ...rest)
      }) as typeof query
      closers.push(() => db.$client.end())
      return { db, queries }
    }
    const titles = (db: NodePgDatabase) => db.select({ title: books.title }).from(books).$withCache()

    it('answers a query from the cache once it asks for that', async () => {
      const { db } = open()
      const values = { id: 2, title: 'Emma', cover: Buffer.from([0, 255]), data: { pages: [1, 2] } }
      await db.delete(books)
      await db.insert(books).values(values)
      const uncached = await db.select().from(books)
      expect(uncached).toMatchObject([values])
      sent = []
      await eventually(async () => {
        expect(await db.select().from(books).$withCache()).toEqual(uncached)
        expect(await backend.stats()).toMatchObject({ hits: 1 })
      })
      expect(await db.select().from(books).$withCache()).toEqual(uncached)
      expect(await backend.stats()).toMatchObject({ hits: 2 })
      const before = sent.length
      await db.select().from(books)
      expect(sent).toHaveLength(before + 1)
    })

    it('answers all but those that refuse, if you say so', async () => {
      const { db } = open({ strategy: 'all' })
      await db.select().from(books)
      await db.select().from(books)
      expect(sent).toEqual(['select'])
      await db.select().from(books).$withCache(false)
      expect(sent).toEqual(['select', 'select'])
    })

    it('gives the new rows after every kind of statement, and stores them when it has settled', async () => {
      const { db } = open()
      expect(await titles(db)).toEqual([{ title: 'Dune' }])
      await db.update(books).set({ title: 'Emma' })
      expect(await titles(db)).toEqual([{ title: 'Emma' }])
      await db.insert(books).values({ id: 2, title: 'Ulysses' })
      expect(await titles(db)).toHaveLength(2)
      await db.delete(books)
      expect(await titles(db)).toEqual([])
      const { hits } = await backend.stats()
      await eventually(async () => {
        await titles(db)
        expect((await backend.stats()).hits).toBeGreaterThan(hits)
      })
    })

    it('keeps the queries of other tables, also of those in a schema', async () => {
      const { db } = open()
      const getPrices = () => db.select().from(prices).$withCache()
      await titles(db)
      await getPrices()
      await db.insert(prices).values({ id: 1, cents: 5 })
      expect(await getPrices()).toEqual([{ id: 1, cents: 5 }])
      sent = []
      await titles(db)
      expect(sent).toEqual([])
    })

    it('stores no result of a transaction that is under way, and none that others read meanwhile', async () => {
      const { db } = open({ settle: '10s' })
      const other = open({ settle: '10s' }).db
      await db.transaction(async (tx) => {
        await tx.update(books).set({ title: 'Emma' })
        expect(await titles(tx)).toEqual([{ title: 'Emma' }])
        expect(await titles(other)).toEqual([{ title: 'Dune' }])
      })
      expect(await titles(other)).toEqual([{ title: 'Emma' }])
      expect(await titles(db)).toEqual([{ title: 'Emma' }])
    })

    it('may give old results after a transaction that takes longer than it may, and none with write()', async () => {
      for (const how of ['bare', 'write'] as const) {
        const { db, queries } = open({ settle: '1ms' })
        const other = open({ settle: '1ms' }).db
        const before = await titles(db)
        const title = `Emma, ${how}`
        const change = () =>
          db.transaction(async (tx) => {
            await tx.update(books).set({ title })
            const { hits } = await backend.stats()
            await eventually(async () => {
              expect(await titles(other)).toEqual(before)
              expect((await backend.stats()).hits).toBeGreaterThan(hits)
            })
          })
        await (how === 'write' ? queries.write(change) : change())
        expect(await titles(other)).toEqual(how === 'write' ? [{ title }] : before)
        await db.$cache.invalidate({ tables: books })
      }
    })

    it('stores nothing of a transaction that was rolled back', async () => {
      const { db } = open({ settle: '10s' })
      await expect(
        db.transaction(async (tx) => {
          await tx.update(books).set({ title: 'Emma' })
          await titles(tx)
          tx.rollback()
        }),
      ).rejects.toThrow('Rollback')
      expect(await titles(db)).toEqual([{ title: 'Dune' }])
    })

    it('invalidates a write() after its commit, and stores results at once', async () => {
      const { db, queries } = open()
      const other = open()
      await titles(db)
      await queries.write(() =>
        db.transaction(async (tx) => {
          await tx.update(books).set({ title: 'Emma' })
          expect(await titles(tx)).toEqual([{ title: 'Emma' }])
          expect(await titles(other.db)).toEqual([{ title: 'Dune' }])
        }),
      )
      sent = []
      for (const _ of [1, 2]) expect(await titles(other.db)).toEqual([{ title: 'Emma' }])
      expect(sent).toEqual(['select'])
    })

    it('invalidates a write() that failed, because it may have been committed', async () => {
      const { db, queries } = open()
      await titles(db)
      const lost = new Error('connection lost at commit')
      const failing = queries.write(async () => {
        await db.update(books).set({ title: 'Emma' })
        throw lost
      })
      await expect(failing).rejects.toBe(lost)
      expect(await titles(db)).toEqual([{ title: 'Emma' }])
    })

    it('invalidates the tables of a write() within a write() with both', async () => {
      const { db, queries } = open()
      await queries.write(async () => {
        await queries.write(() => db.update(books).set({ title: 'Emma' }))
        expect(await titles(open().db)).toEqual([{ title: 'Emma' }])
        await db.$client.query(`update books set title = 'Ulysses'`)
      })
      expect(await titles(db)).toEqual([{ title: 'Ulysses' }])
    })

    it('finds queries by a tag of their own', async () => {
      const { db } = open()
      const tagged = () => db.select().from(books).$withCache({ tag: 'all', autoInvalidate: false })
      const [before] = await Promise.all([tagged(), tagged()])
      await db.update(books).set({ title: 'Emma' })
      expect(await tagged()).toEqual(before)
      await db.$cache.invalidate({ tags: 'all' })
      expect(await tagged()).toMatchObject([{ title: 'Emma' }])
    })

    it('invalidates the tables that it is told, by name or as they are', async () => {
      const { db } = open({ settle: '1ms' })
      for (const tables of ['books', books, ['books', prices]] as const) {
        await eventually(async () => {
          sent = []
          await titles(db)
          expect(sent).toEqual([])
        })
        await db.$cache.invalidate({ tables: tables as string })
        await titles(db)
        expect(sent).toEqual(['select'])
      }
    })

    it('keeps a result as long as its query says', async () => {
      const { db } = open()
      const get = (config: { px?: number; ex?: number; pxat?: number; exat?: number }) =>
        db
          .select()
          .from(books)
          .where(eq(books.id, JSON.stringify(config).length))
          .$withCache({ config })
      const isCached = async (config: Parameters<typeof get>[0]): Promise<boolean> => {
        await get(config)
        sent = []
        await get(config)
        return sent.length === 0
      }
      for (const config of [{ px: 60_000 }, { ex: 60 }, { pxat: 4e12 }, { exat: 4e9 }]) {
        expect(await isCached(config)).toBe(true)
      }
      for (const config of [{ px: 0 }, { exat: 1 }]) expect(await isCached(config)).toBe(false)
    })

    it('leaves the cache alone while bypass says so', async () => {
      let isBypassed = false
      const { db } = open({ bypass: () => isBypassed })
      await titles(db)
      isBypassed = true
      await titles(db)
      await titles(db)
      expect(sent).toEqual(['select', 'select', 'select'])
    })

    it('keeps namespaces apart', async () => {
      const { db } = open()
      const other = open({ namespace: 'other' })
      await titles(db)
      sent = []
      await titles(other.db)
      expect(sent).toEqual(['select'])
    })

    it('stores nothing for a query that failed', async () => {
      const { db } = open()
      const failing = () =>
        db
          .select({ title: books.title })
          .from(books)
          .where(eq(books.id, 2 ** 40))
          .$withCache({ tag: 'failing' })
      await expect(failing()).rejects.toThrow('Failed query')
      await expect(failing()).rejects.toThrow('Failed query')
      expect(await db.select({ title: books.title }).from(books).$withCache({ tag: 'failing' })).toHaveLength(
        1,
      )
    })

    it('does not serve a result that was read before a write() and arrived after it', async () => {
      const { db, queries } = open()
      const go = latch()
      const reading = latch()
      let isHeld = true
      const slow = drizzleProxy(
        async (query, values) => {
          const { rows } = await db.$client.query({ text: query, values, rowMode: 'array' })
          reading.open()
          if (isHeld) await go.opened
          return { rows }
        },
        { cache: queries },
      )
      // Drizzle sends a query when it is awaited.
      const getTitles = async () => slow.select({ title: books.title }).from(books).$withCache()
      const older = getTitles()
      await reading.opened
      await queries.write(() => db.update(books).set({ title: 'Emma' }))
      isHeld = false
      expect(await getTitles()).toEqual([{ title: 'Emma' }])
      go.open()
      expect(await older).toEqual([{ title: 'Dune' }])
      expect(await getTitles()).toEqual([{ title: 'Emma' }])
    })

    it('does not fail a read, whatever its rows hold', async () => {
      const strange = drizzleProxy(async () => ({ rows: [[Symbol('no')]] }), {
        cache: open({ backend: new InMemoryCache({ onError: () => undefined }) }).queries,
      })
      for (const _ of [1, 2]) {
        expect(await strange.select({ title: books.title }).from(books).$withCache()).toHaveLength(1)
      }
    })

    it('rejects with a write whose invalidation is not confirmed, or tells who asked to know', async () => {
      class Unconfirming extends InMemoryCache {
        override async invalidateTags(tags: readonly string[]): Promise<void> {
          throw new InvalidationUnconfirmedError('invalidateTags', tags, { cause: 'no answer' })
        }
      }
      const { db, queries } = open({ backend: new Unconfirming() })
      await expect(db.update(books).set({ title: 'Emma' })).rejects.toMatchObject({
        cause: { code: 'RELAYCACHE_INVALIDATION_UNCONFIRMED' },
      })
      await expect(queries.write(() => db.update(books).set({ title: 'Ulysses' }))).rejects.toThrow(
        InvalidationUnconfirmedError,
      )
      const errors: unknown[] = []
      const telling = open({ backend: new Unconfirming(), onUnconfirmed: (error) => errors.push(error) })
      await telling.db.update(books).set({ title: 'Emma' })
      await telling.queries.write(() => telling.db.update(books).set({ title: 'Emma' }))
      expect(errors).toHaveLength(2)
    })
  })
})

describe('relayDrizzleCache', () => {
  it('refuses options that it does not know, or cannot use', () => {
    const wrong = (options: object) => () => relayDrizzleCache({ ttl: 60, ...options })
    expect(wrong({ tll: 1 })).toThrow('did you mean "ttl"?')
    expect(wrong({ ttl: 0 })).toThrow(RangeError)
    expect(wrong({ settle: 5 })).toThrow('Expected settle to be a duration')
    expect(wrong({ strategy: 'some' })).toThrow("Expected strategy to be 'explicit' or 'all'")
    expect(wrong({ namespace: 1 })).toThrow('Expected namespace to be a string')
    expect(wrong({ backend: {} })).toThrow('Expected backend to be a cache backend')
  })

  it('is ignored by the driver of better-sqlite3, which is synchronous', async () => {
    const notes = sqliteTable('notes', { text: sqliteText().notNull() })
    const backend = new InMemoryCache()
    const client = new Database(':memory:')
    client.exec('create table notes (text text not null)')
    const options = { client, cache: relayDrizzleCache({ ttl: 60, backend, strategy: 'all' }) }
    const db = drizzleSqlite(options)
    expect(db.select().from(notes).all()).toEqual([])
    expect(await db.select().from(notes)).toEqual([])
    expect(await backend.stats()).toMatchObject({ hits: 0, misses: 0, totalKeys: 0 })
    client.close()
  })
})
