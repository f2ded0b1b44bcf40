import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { eventually } from '@outrider/test-kit'
import { eq, getTableName, is, type SQL } from 'drizzle-orm'
import { PgTable, type PgColumn } from 'drizzle-orm/pg-core'
import type { FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'
import { tagsOfRow } from '../src/cache-tags.ts'
import * as models from '../src/models/index.ts'
import type { Transaction } from '../src/tracked-transaction.ts'
import { describeEachCache } from './each-cache.ts'

const { authors, bookGenres, bookPublishers, books, genres, posts, publishers, reviews } = models

/** A page, and whether one of its parts came from the cache: the part with this key, or the `whole`. */
async function look(app: FastifyInstance, url: string, part: string) {
  const { body, headers, statusCode } = await app.inject(url)
  const row = new RegExp(String.raw`<td>${part}</td>\s*<td><span class="badge \w+">(\w+)<`)
  return { code: statusCode, status: part === 'whole' ? headers['x-cache'] : row.exec(body)?.[1], body }
}

it('every table has the tags of what shows its rows', () => {
  const tables = Object.values(models).filter((model) => is(model, PgTable))
  expect(Object.keys(tagsOfRow).toSorted()).toEqual(tables.map((table) => getTableName(table)).toSorted())
})

type Table = PgTable & { readonly id: PgColumn }

/** A transaction that changes the rows of a table for which something holds, before it or after. */
interface Edit {
  readonly table: Table
  readonly where?: SQL | undefined
  readonly work: (tx: Transaction) => Promise<unknown>
}

const edits: readonly {
  readonly what: string
  readonly url: string
  readonly part: string
  readonly edit: Edit
  /** What the page shows only before, and only after. */
  readonly before?: string
  readonly after?: string
}[] = [
  {
    what: 'a book, its title',
    url: '/books/1',
    part: String.raw`book\(1\)`,
    edit: update(books, eq(books.id, 1), { title: 'Renamed by Ada' }),
    before: 'The Cartographer',
    after: 'Renamed by Ada',
  },
  {
    what: 'a book, a review that is added',
    url: '/books/2',
    part: String.raw`book\(2\)`,
    edit: {
      table: reviews,
      where: eq(reviews.bookId, 2),
      work: (tx) => tx.insert(reviews).values({ bookId: 2, reviewer: 'Zoe', rating: 5, body: 'Brand new' }),
    },
    after: 'Brand new',
  },
  {
    what: 'a book, a genre that is taken away',
    url: '/books/3',
    part: String.raw`book\(3\)`,
    edit: remove(bookGenres, eq(bookGenres.bookId, 3)),
    before: '/books/genre/poetry/',
  },
  {
    what: 'a book, the name of its publisher',
    url: '/books/4',
    part: String.raw`book\(4\)`,
    edit: update(publishers, eq(publishers.name, 'Paper Harbour'), { name: 'Paper Port' }),
    before: 'Paper Harbour',
    after: 'Paper Port',
  },
  {
    what: 'a book, a publisher that is taken away',
    url: '/books/5',
    part: String.raw`book\(5\)`,
    edit: remove(bookPublishers, eq(bookPublishers.bookId, 5)),
    before: 'Kawa Books',
  },
  {
    what: 'a book, the name of an author who is not its first',
    url: '/books/12',
    part: String.raw`book\(12\)`,
    edit: update(authors, eq(authors.name, 'Sofia Marchetti'), { name: 'Sofia Ferrari' }),
    before: 'Sofia Marchetti',
    after: 'Sofia Ferrari',
  },
  {
    what: 'a search, the name of an author',
    url: '/search?q=takeda',
    part: String.raw`search:[\w-]+:genre:all`,
    edit: update(authors, eq(authors.name, 'Joon Takeda'), { name: 'J. Takeda' }),
    before: 'Joon Takeda',
    after: 'J. Takeda',
  },
  {
    what: 'the list of a genre, a book that is put there',
    url: '/books/?genre=science',
    part: 'books:page:1:genre:science',
    edit: {
      table: bookGenres,
      where: eq(bookGenres.bookId, 9),
      work: async (tx) => {
        const [science] = await tx.select().from(genres).where(eq(genres.slug, 'science'))
        await tx.insert(bookGenres).values({ bookId: 9, genreId: science?.id ?? 0 })
      },
    },
    after: 'Nine Locks',
  },
  {
    what: 'the page of a genre, its name',
    url: '/books/genre/essays/',
    part: 'whole',
    edit: update(genres, eq(genres.slug, 'essays'), { name: 'Attempts' }),
    before: '<h1>Essays</h1>',
    after: '<h1>Attempts</h1>',
  },
  {
    what: 'the page of a genre, a book of it',
    url: '/books/genre/mystery/',
    part: 'whole',
    edit: update(books, eq(books.id, 9), { title: 'Ten Locks' }),
    before: 'Nine Locks',
    after: 'Ten Locks',
  },
  {
    what: 'the statistics, a book that is deleted',
    url: '/books/stats',
    part: 'book_global_stats',
    edit: remove(books, eq(books.id, 20)),
    before: '>36</span> books',
    after: '>35</span> books',
  },
  {
    what: 'a post',
    url: '/posts/writes-that-do-not-wait',
    part: 'post\\(&quot;writes-that-do-not-wait&quot;\\)',
    edit: update(posts, eq(posts.slug, 'writes-that-do-not-wait'), { title: 'Writes, again' }),
    before: '<h1>Writes that',
    after: '<h1>Writes, again',
  },
  {
    what: 'the last page of the list, its books',
    url: '/books/?page=2',
    part: 'books:page:2:genre:all',
    edit: update(books, undefined, { title: 'All of one name' }),
    after: 'All of one name',
  },
]

function update(table: Table, where: SQL | undefined, set: object): Edit {
  return {
    table,
    where,
    work: (tx) => tx.update(table).set(set).where(where),
  }
}

function remove(table: Table, where: SQL): Edit {
  return { table, where, work: (tx) => tx.delete(table).where(where) }
}

describeEachCache('what pages show', (site) => {
  const apply = ({ table, where, work }: Edit): Promise<void> =>
    site().site.transaction('ada', async (tx, touch) => {
      const ids = async () =>
        (await tx.select({ id: table.id }).from(table).where(where)).map(({ id }) => Number(id))
      const before = await ids()
      await work(tx)
      touch({ table, column: table.id, values: [...before, ...(await ids())] })
    })
  /** Hears of invalidations as long as something runs. */
  const invalidations = async (run: () => Promise<unknown>): Promise<number> => {
    let heard = 0
    const listen = (): void => void (heard += 1)
    subscribe('relaycache:invalidate', listen)
    await run().finally(() => unsubscribe('relaycache:invalidate', listen))
    return heard
  }

  it('a transaction that is rolled back, or changes nothing, invalidates nothing', async () => {
    const { work, ...rows } = update(books, eq(books.id, 7), { title: 'Never' })
    const failing = {
      ...rows,
      async work(tx: Transaction) {
        await work(tx)
        throw new Error('changed my mind')
      },
    }
    expect(await invalidations(() => apply(failing).catch(() => {}))).toBe(0)
    expect(await invalidations(() => apply({ ...rows, work: async () => {} }))).toBe(0)
    expect(
      await invalidations(() => apply(update(books, eq(books.id, 7), { title: 'Once' }))),
    ).toBeGreaterThan(0)
  })

  it('an invalidation leaves alone what shows something else', async () => {
    const { app } = site()
    for (const id of [10, 11])
      await eventually(async () =>
        expect(await look(app, `/books/${id}`, String.raw`book\(${id}\)`)).toMatchObject({ status: 'HIT' }),
      )
    const { books: service } = site().site
    await apply(update(books, eq(books.id, 10), { title: 'Other' }))
    expect(await service.getBookDetails.peek(10)).toEqual({ hit: false })
    await eventually(async () => expect(await service.getBookDetails.peek(11)).toMatchObject({ hit: true }))
  })

  it.each(edits)(
    'is MISS, then HIT, then new after the change of $what',
    async ({ url, part, edit, before = '', after = '\0' }) => {
      const { app, other } = site()
      for (const each of [app, other]) {
        await eventually(async () =>
          expect(await look(each, url, part)).toMatchObject({ code: 200, status: 'HIT' }),
        )
        const { body } = await look(each, url, part)
        expect(body).toContain(before)
        expect(body).not.toContain(after)
      }
      await apply(edit)
      for (const [index, each] of [other, app].entries()) {
        const { code, body, status } = await look(each, url, part)
        expect(code).toBe(200)
        if (index === 0) expect(status).toBe('MISS')
        if (before !== '') expect(body).not.toContain(before)
        if (after !== '\0') expect(body).toContain(after)
      }
      await eventually(async () => expect((await look(other, url, part)).status).toBe('HIT'))
    },
  )

  describe('as a whole', () => {
    it('is answered with 304 to a client that has it, until it changes', async () => {
      const { app } = site()
      const url = '/books/genre/fantasy/'
      const ask = (etag = '') => app.inject({ url, headers: { 'if-none-match': etag } })
      const first = await ask()
      const etag = String(first.headers['etag'])
      expect(first).toMatchObject({ statusCode: 200, headers: { 'x-cache': 'MISS' } })
      await eventually(async () =>
        expect(await ask(etag)).toMatchObject({
          statusCode: 304,
          body: '',
          headers: { 'x-cache': 'HIT', etag },
        }),
      )
      await apply(update(books, eq(books.id, 5), { title: 'The Minute Keeper' }))
      const changed = await ask(etag)
      expect(changed).toMatchObject({ statusCode: 200, headers: { 'x-cache': 'MISS' } })
      expect(changed.body).toContain('The Minute Keeper')
    })

    it('is made anew for a request with credentials, and an unknown genre is not kept', async () => {
      const { app } = site()
      const cookie = await app.inject({ url: '/books/genre/fantasy/', headers: { cookie: 'a=b' } })
      expect(cookie.statusCode).toBe(200)
      expect(cookie.headers['x-cache']).toBeUndefined()
      for (let i = 0; i < 2; i++) {
        const unknown = await app.inject('/books/genre/unknown/')
        expect(unknown.statusCode).toBe(404)
        expect(unknown.headers['x-cache']).toBeUndefined()
      }
    })

    it('counts every view, also those that came from the cache', async () => {
      const { app, site: opened } = site()
      const url = '/books/genre/adventure/'
      for (let i = 0; i < 3; i++) await app.inject(url)
      expect(await opened.analytics.countViews(url)).toBe(3)
    })
  })

  it('is computed once for many who ask at the same time: in a process, and with Redis in all', async () => {
    const { app, other, settings } = site()
    await apply(update(books, eq(books.id, 13), { title: 'Asked for by many' }))
    const computed: unknown[] = []
    const listen = (message: unknown): void => void computed.push((message as { key: string }).key)
    subscribe('relaycache:compute', listen)
    const asked = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? app : other).inject('/books/13')),
    )
    unsubscribe('relaycache:compute', listen)
    for (const { body } of asked) expect(body).toContain('Asked for by many')
    expect(computed).toEqual(Array.from({ length: settings.redisUrl ? 1 : 2 }, () => 'book(13)'))
  })
})
