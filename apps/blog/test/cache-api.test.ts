import { eventually } from '@outrider/test-kit'
import type { FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'
import { books } from '../src/models/index.ts'
import { isbnOf } from '../src/seed/library.ts'
import { ADMIN_TOKEN, describeEachCache, type CachedSite } from './each-cache.ts'
import { manage } from './fixture.ts'

const staff = { authorization: `Bearer ${ADMIN_TOKEN}` }

function clear(app: FastifyInstance, type: string, headers: Record<string, string> = staff) {
  return app.inject({
    method: 'POST',
    url: '/admin/clear-cache/',
    headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
    payload: `cache_type=${type}`,
  })
}

/** Brings a book, a search and the statistics into the cache of both processes. */
async function fill({ site, app, other }: CachedSite): Promise<void> {
  await eventually(async () => {
    for (const each of [app, other])
      for (const url of ['/books/1', '/search?q=map', '/books/stats']) await each.inject(url)
    expect(await isCached(site)).toEqual({ book: true, search: true, stats: true })
  })
}

async function isCached({ books, search }: CachedSite['site']) {
  const { hit: book } = await books.getBookDetails.peek(1)
  const { hit: found } = await search.searchBooks.peek('map')
  const { hit: stats } = await books.getBookStatistics.peek()
  return { book, search: found, stats }
}

/** Whether the other process still has it: what it shows, as the foot of its pages says. */
async function statusIn(app: FastifyInstance, url: string): Promise<string | undefined> {
  return /id="status">(\w+)</.exec((await app.inject(url)).body)?.[1]
}

describeEachCache('over HTTP', (site) => {
  describe('/api/books/search', () => {
    it('answers with the books found and where from, or 400 without a query', async () => {
      const { app } = site()
      const ask = () => app.inject('/api/books/search?q=cartographer&genre=mystery')
      const first = await ask()
      expect(first).toMatchObject({ statusCode: 200, headers: { 'x-cache': 'MISS' } })
      expect(first.json()).toEqual({
        books: [
          {
            id: 1,
            title: 'The Cartographer of Small Rooms',
            author: 'Ines Valdemar',
            isbn: expect.stringMatching(/^978/),
            publication_date: null,
          },
        ],
      })
      await eventually(async () => expect((await ask()).headers['x-cache']).toBe('HIT'))
      expect((await ask()).json()).toEqual(first.json())
      for (const query of ['', '?q=', '?q=%20', '?q=%00', '?genre=mystery']) {
        const without = await app.inject(`/api/books/search${query}`)
        expect({ code: without.statusCode, body: without.json<unknown>() }).toEqual({
          code: 400,
          body: { error: 'Query parameter required' },
        })
      }
    })

    it.each([
      ['an ISBN', isbnOf(7), ['What the Lighthouse Heard']],
      [
        'an author who is not the first, in another case',
        'MARCHETTI&genre=fantasy',
        ['The Glassblower and the Comet'],
      ],
      ['a genre that has none of it', 'cartographer&genre=poetry', []],
      ['a genre that there is not', 'cartographer&genre=%00%27x', []],
      ['what would match everything if it were a pattern', '%25', []],
      ['the last of two queries', 'map&q=cartographer', ['The Cartographer of Small Rooms']],
      ['bytes that are no text', '%ED%A0%80', []],
    ])('finds %s', async (_, query, titles) => {
      const { app } = site()
      const response = await app.inject(`/api/books/search?q=${query}`)
      const { books } = response.json<{ books: { title: string }[] }>()
      expect(books.map(({ title }) => title)).toEqual(titles)
      expect((await app.inject(`/search?q=${query}`)).statusCode).toBe(200)
    })

    it('gives 50 books at most', async () => {
      const { app, site: opened } = site()
      await opened.transaction('ada', async (tx, touch) => {
        const rows = Array.from({ length: 60 }, (_, i) => ({ title: `Volume ${i}`, authorId: 1 }))
        const made = await tx.insert(books).values(rows).returning({ id: books.id })
        touch({ table: books, column: books.id, values: made.map(({ id }) => id) })
      })
      const { books: found } = (await app.inject('/api/books/search?q=volume')).json<{ books: unknown[] }>()
      expect(found).toHaveLength(50)
    })
  })

  describe('/admin/clear-cache/', () => {
    it.each([
      ['books', 'Book cache cleared', { book: false, search: false, stats: true }],
      ['stats', 'Stats cache cleared', { book: true, search: true, stats: false }],
      ['all', 'All cache cleared', { book: false, search: false, stats: false }],
    ])('clears %s, in every process', async (type, message, left) => {
      await fill(site())
      const { site: opened, app, other } = site()
      const response = await clear(app, type)
      expect({ code: response.statusCode, body: response.json<unknown>() }).toEqual({
        code: 200,
        body: { status: 'success', message },
      })
      expect(await isCached(opened)).toEqual(left)
      const [url] = type === 'stats' ? ['/books/stats'] : ['/books/1']
      expect(await statusIn(other, url)).toBe('MISS')
    })

    it('refuses everybody else, whatever they ask for, and clears nothing', async () => {
      await fill(site())
      const { site: opened, app } = site()
      const { app: closed } = await site().again({ adminToken: undefined })
      for (const response of [
        await clear(app, 'all', {}),
        await clear(app, 'films', {}),
        await clear(app, 'all', { authorization: 'Bearer another-token-than-the-one' }),
        await clear(app, 'all', { authorization: ADMIN_TOKEN }),
        await clear(app, 'all', { cookie: `token=${ADMIN_TOKEN}` }),
        await clear(closed, 'all'),
        await clear(closed, 'all', { authorization: 'Bearer undefined' }),
      ]) {
        expect(response.statusCode).toBe(401)
        expect(response.json()).toEqual({ status: 'error', message: 'Staff only' })
      }
      expect(await isCached(opened)).toEqual({ book: true, search: true, stats: true })
    })

    it('answers 400 for another type, and 405 for another method', async () => {
      const { app } = site()
      for (const type of ['films', '', 'all&cache_type=toString', '__proto__'])
        expect((await clear(app, type)).json()).toEqual({ status: 'error', message: 'Invalid cache_type' })
      expect((await clear(app, 'films')).statusCode).toBe(400)
      const empty = await app.inject({ method: 'POST', url: '/admin/clear-cache/', headers: staff })
      expect(empty.statusCode).toBe(400)
      const broken = await app.inject({
        method: 'POST',
        url: '/admin/clear-cache/',
        headers: { ...staff, 'content-type': 'application/json' },
        payload: '{',
      })
      expect(broken.statusCode).toBe(400)
      expect(broken.json()).toEqual({ status: 'error', message: 'Invalid request' })
      for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'] as const) {
        const response = await app.inject({ method, url: '/admin/clear-cache/', headers: staff })
        expect(response).toMatchObject({ statusCode: 405, headers: { allow: 'POST' } })
      }
    })
  })

  describe('a command in a process of its own', () => {
    const run = (...args: string[]) => {
      const { dataDir, redisUrl } = site().settings
      return manage(dataDir, args, redisUrl === undefined ? {} : { REDIS_URL: redisUrl })
    }

    it('clears what has a tag, and all books, in every process', { timeout: 60_000 }, async () => {
      const { other, site: opened } = site()
      await fill(site())
      expect(await run('clear_book_cache', '--tag', 'book:1')).toMatchObject({
        code: 0,
        stdout: 'Cache with tag "book:1" cleared\n',
      })
      expect(await isCached(opened)).toEqual({ book: false, search: true, stats: true })
      expect(await statusIn(other, '/books/1')).toBe('MISS')
      await fill(site())
      expect(await run('clear_book_cache', '--all-books')).toMatchObject({
        code: 0,
        stdout: 'All book cache cleared\n',
      })
      expect(await isCached(opened)).toEqual({ book: false, search: false, stats: false })
      expect(await statusIn(other, '/books/1')).toBe('MISS')
    })

    it('clears nothing in a dry run, and says so', { timeout: 60_000 }, async () => {
      await fill(site())
      const { code, stdout, stderr } = await run('clear_book_cache', '--tag', 'book:1', '--dry-run')
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
      expect(stderr).toContain('would clear cache with tag "book:1"')
      expect(await isCached(site().site)).toMatchObject({ book: true })
      const nothing = await run('clear_book_cache', '--tag', '')
      expect(nothing).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('Specify --tag or --all-books'),
      })
    })

    it('tells what is cached, and how often it was found', { timeout: 60_000 }, async () => {
      await fill(site())
      const { redis } = site().site.cache
      await redis?.config('RESETSTAT')
      const { code, stdout } = await run('cache_stats')
      expect(code).toBe(0)
      const lines = stdout.trimEnd().split('\n')
      const ofProcesses = lines.filter((line) => line.startsWith(`Process ${process.pid}: `))
      expect(ofProcesses.length).toBeGreaterThanOrEqual(2) // each open site counts as one
      for (const line of ofProcesses) expect(line).toMatch(/: .*; \d+ hits, \d+ misses, \d+ coalesced$/)
      if (!redis) {
        for (const line of ofProcesses) expect(line).toMatch(/: \d+ values with \d+ tags in memory;/)
        expect(lines).toEqual(ofProcesses)
      } else {
        const sent = await redis.info('commandstats')
        expect(sent).toContain('cmdstat_scan:')
        expect(sent).not.toContain('cmdstat_keys:')
        expect(lines.slice(0, 4)).toEqual([
          expect.stringMatching(/^Redis memory used: [\d.]+[KMG]?B?$/),
          expect.stringMatching(/^Total keys: [1-9]\d*$/),
          expect.stringMatching(/^Book-related keys: [1-9]\d*$/),
          expect.stringMatching(/^Cached values: about \S+, with about \S+ tags$/),
        ])
      }
    })
  })
})
