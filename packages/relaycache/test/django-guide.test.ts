import { describeWith } from '@outrider/test-kit'
import { beforeEach, describe, expect, it } from 'vitest'
import { cacheView, type CacheViewOptions } from '../src/http/index.ts'
import { cache, hashKey, InMemoryCache, invalidate, type CacheBackend } from '../src/index.ts'
import { RedisCache, TieredCache } from '../src/redis/index.ts'
import { useRedis } from './use-redis.ts'

interface Book {
  readonly id: number
  title: string
  readonly author: string
  readonly isFeatured: boolean
  readonly year: number
  genres: string[]
  publishers: { readonly name: string; readonly position: number }[]
}

const PAGE_SIZE = 20

/** The tables of the guide, its cached queries, its signals and its ways to clear; all on one backend. */
function openShop(backend: CacheBackend) {
  const books: Book[] = Array.from({ length: 45 }, (_, i) => ({
    id: i + 1,
    title: `Book ${String(i + 1).padStart(2, '0')}`,
    author: i % 2 === 0 ? 'Ursula' : 'Frank',
    isFeatured: i < 4,
    year: 2020 + (i % 5),
    genres: [i % 3 === 0 ? 'scifi' : 'crime'],
    publishers: [{ name: 'Ace', position: 45 - i }],
  }))
  /** One for each time that the database is asked. */
  const queries: string[] = []
  const query = async (what: string, matches: (book: Book) => boolean = () => true) => {
    queries.push(what)
    return books.filter(matches).map((book) => structuredClone(book))
  }
  const lists = ['books', 'book_listings']

  const getBooksTop = cache({
    ttl: 1800,
    backend,
    tags: (slug: string) => [`books_top:${slug}`, ...lists],
    key: (slug: string) => `books_top:${slug}`,
  })(async (slug: string) => {
    const found = await query(`top ${slug}`, (book) => book.genres.includes(slug) && book.isFeatured)
    return found.toSorted((a, b) => (a.publishers[0]?.position ?? 0) - (b.publishers[0]?.position ?? 0))
  })

  const getBooksAllExcept = cache({
    ttl: 1800,
    backend,
    tags: (slug: string) => [`books_all:${slug}`, ...lists],
    key: (slug: string) => `books_all_except:${slug}`,
  })((slug: string) => query(`all except ${slug}`, (book) => !book.genres.includes(slug)))

  const BookService = {
    getBookDetails: cache({
      ttl: 3600,
      backend,
      tags: (id: number) => [`book:${id}`, 'books'],
      distributedSingleflight: true,
    })(async function getBookDetails(id: number) {
      const [book] = await query(`book ${id}`, (each) => each.id === id)
      return book ?? null
    }),

    getBookStatistics: cache({
      ttl: 7200,
      backend,
      tags: () => ['book_stats', 'analytics'],
      key: () => 'book_global_stats',
    })(async () => {
      const all = await query('statistics')
      return {
        total_books: all.length,
        featured_books: all.filter(({ isFeatured }) => isFeatured).length,
        recent_books: all.filter(({ year }) => year === 2024).length,
      }
    }),
  }

  const searchBooks = cache({
    ttl: 900,
    backend,
    tags: (text: string, genre?: string) => [
      `search:${hashKey(text)}`,
      'book_search',
      genre === undefined ? 'all_genres' : `genre:${genre}`,
    ],
    key: (text: string, genre?: string) => `search:${hashKey(text)}:genre:${genre ?? 'all'}`,
  })(async (text: string, genre?: string) => {
    const matches = (book: Book): boolean =>
      `${book.title} ${book.author}`.toLowerCase().includes(text) &&
      (genre === undefined || book.genres.includes(genre))
    return (await query(`search ${text}`, matches)).slice(0, 50).map(({ id, title }) => ({ id, title }))
  })

  const getPaginatedBooks = cache({
    ttl: 1800,
    backend,
    tags: (page: number = 1, genre?: string) => [
      `books_page:${page}`,
      genre === undefined ? 'all_genres' : `genre:${genre}`,
      'book_listings',
    ],
    key: (page: number = 1, genre?: string) => `books:page:${page}:genre:${genre ?? 'all'}`,
  })(async (page: number = 1, genre?: string) => {
    const found = await query(`page ${page}`, (book) => genre === undefined || book.genres.includes(genre))
    const numPages = Math.ceil(found.length / PAGE_SIZE)
    return {
      books: found.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE).map(({ title }) => title),
      has_next: page < numPages,
      has_previous: page > 1,
      num_pages: numPages,
      current_page: page,
    }
  })

  const clear = async (...tags: string[]): Promise<void> => void (await invalidate({ tags, backend }))
  const ofGenres = ({ genres }: Book): string[] =>
    genres.flatMap((slug) => [`books_top:${slug}`, `books_all:${slug}`])
  const signals = {
    bookSaved: (book: Book) => clear(`book:${book.id}`, ...lists, 'book_stats', ...ofGenres(book)),
    bookDeleted: () => clear(...lists, 'book_stats'),
    bookGenreSaved: (book: Book) => clear(`book:${book.id}`, ...ofGenres(book), ...lists),
    bookPublisherSaved: (book: Book) => clear(`book:${book.id}`, ...lists),
  }
  const clearing = {
    clearBookCache: (id: number) => clear(`book:${id}`),
    clearAllBookCache: () => clear('books'),
    clearBooksByGenre: (slug: string) => clear(`books_top:${slug}`, `books_all:${slug}`),
    clearBookStats: () => clear('book_stats', 'analytics'),
  }
  const search = { searchBooks, getPaginatedBooks }
  return { books, queries, getBooksTop, getBooksAllExcept, ...BookService, ...search, signals, clearing }
}

/** Everything that the guide of the Python package does, in TypeScript. */
function guide(create: () => CacheBackend): void {
  let backend: CacheBackend
  let shop: ReturnType<typeof openShop>
  beforeEach(() => {
    backend = create()
    shop = openShop(backend)
  })
  const titles = (found: readonly { title: string }[]): string[] => found.map(({ title }) => title)
  const book = (id: number): Book => shop.books.find((each) => each.id === id) ?? expect.fail()
  /** What is asked of the database anew when everything is asked for once more. */
  const askAll = async (): Promise<string[]> => {
    shop.queries.length = 0
    await shop.getBooksTop('scifi')
    await shop.getBooksAllExcept('scifi')
    await shop.getBooksTop('crime')
    await shop.getBookDetails(1)
    await shop.getBookDetails(2)
    await shop.getBookStatistics()
    await shop.searchBooks('ursula')
    await shop.getPaginatedBooks()
    return [...shop.queries]
  }
  const all = [
    'top scifi',
    'all except scifi',
    'top crime',
    'book 1',
    'book 2',
    'statistics',
    'search ursula',
    'page 1',
  ]
  const lists = ['top scifi', 'all except scifi', 'top crime', 'page 1']

  it('caches the queries of its views, each once', async () => {
    expect(titles(await shop.getBooksTop('scifi'))).toEqual(['Book 04', 'Book 01'])
    expect(titles(await shop.getBooksAllExcept('scifi'))).toHaveLength(30)
    expect(shop.getBooksTop.keyOf('scifi')).toBe('books_top:scifi')
    expect(await backend.has('books_all_except:scifi')).toBe(true)
    expect(await askAll()).toEqual(all.slice(2))
    expect(await askAll()).toEqual([])
  })

  it('caches details, also of a book that does not exist, and computes once for many', async () => {
    const found = await Promise.all(Array.from({ length: 20 }, () => shop.getBookDetails(7)))
    expect(new Set(titles(found.flatMap((each) => each ?? [])))).toEqual(new Set(['Book 07']))
    for (let i = 0; i < 2; i++) expect(await shop.getBookDetails(99)).toBeNull()
    expect(shop.queries).toEqual(['book 7', 'book 99'])
  })

  it('caches statistics under one key', async () => {
    const statistics = { total_books: 45, featured_books: 4, recent_books: 9 }
    expect(await shop.getBookStatistics()).toEqual(statistics)
    expect(await backend.get('book_global_stats')).toEqual({ hit: true, value: statistics })
  })

  it('shows what a signal tells of, and keeps the rest', async () => {
    await askAll()
    book(1).title = 'Renamed'
    await shop.signals.bookSaved(book(1))
    expect(await shop.getBookDetails(1)).toMatchObject({ title: 'Renamed' })
    expect(await askAll()).toEqual([...lists.slice(0, 3), 'book 2', 'statistics', 'page 1'])

    shop.books.splice(shop.books.indexOf(book(45)), 1)
    await shop.signals.bookDeleted()
    expect(await shop.getBookStatistics()).toMatchObject({ total_books: 44 })
    expect(await shop.getPaginatedBooks(3)).toMatchObject({ books: { length: 4 } })
    await askAll()

    book(2).genres.push('scifi')
    await shop.signals.bookGenreSaved(book(2))
    expect(titles(await shop.getBooksTop('scifi'))).toEqual(['Book 04', 'Book 02', 'Renamed'])
    await askAll()

    book(4).publishers = [{ name: 'Tor', position: 99 }]
    await shop.signals.bookPublisherSaved(book(4))
    expect(titles(await shop.getBooksTop('scifi'))).toEqual(['Book 02', 'Renamed', 'Book 04'])
    expect(await askAll()).not.toContain('statistics')
  })

  it('clears a book, all books, a genre or the statistics', async () => {
    await askAll()
    await shop.clearing.clearBookCache(1)
    expect(await askAll()).toEqual(['book 1'])
    await shop.clearing.clearAllBookCache()
    expect(await askAll()).toEqual(['top scifi', 'all except scifi', 'top crime', 'book 1', 'book 2'])
    await shop.clearing.clearBooksByGenre('scifi')
    expect(await askAll()).toEqual(['top scifi', 'all except scifi'])
    await shop.clearing.clearBookStats()
    expect(await askAll()).toEqual(['statistics'])
  })

  it('has a command that clears by a tag, or all books, and wants one of them', async () => {
    const clearBookCache = async (options: { tag?: string; allBooks?: boolean }): Promise<string> => {
      const tags = options.allBooks ? ['books'] : options.tag === undefined ? [] : [options.tag]
      if (tags.length === 0) return 'Specify --tag or --all-books'
      await invalidate({ tags, backend })
      return options.allBooks ? 'All book cache cleared' : `Cache with tag "${options.tag}" cleared`
    }
    await askAll()
    expect(await clearBookCache({})).toBe('Specify --tag or --all-books')
    expect(await askAll()).toEqual([])
    expect(await clearBookCache({ tag: 'book_search' })).toBe('Cache with tag "book_search" cleared')
    expect(await askAll()).toEqual(['search ursula'])
    expect(await clearBookCache({ allBooks: true })).toBe('All book cache cleared')
    expect(await askAll()).toHaveLength(5)
  })

  it('has an endpoint that clears books, statistics or everything', async () => {
    const clearCacheApi = async (request: Request): Promise<Response> => {
      const type = (await request.formData()).get('cache_type')
      if (type === 'books') await invalidate({ tags: ['books'], backend })
      else if (type === 'stats') await invalidate({ tags: ['book_stats'], backend })
      else if (type === 'all') await backend.clear()
      else return Response.json({ status: 'error', message: 'Invalid cache_type' }, { status: 400 })
      return Response.json({ status: 'success' })
    }
    const post = async (type: string): Promise<number> => {
      const body = new URLSearchParams({ cache_type: type })
      return (await clearCacheApi(new Request('http://localhost/', { method: 'POST', body }))).status
    }
    await askAll()
    expect(await post('films')).toBe(400)
    expect(await askAll()).toEqual([])
    expect(await post('books')).toBe(200)
    expect(await askAll()).toHaveLength(5)
    expect(await post('stats')).toBe(200)
    expect(await askAll()).toEqual(['statistics'])
    expect(await post('all')).toBe(200)
    expect(await askAll()).toEqual(all)
  })

  it('caches views by path and query, or by a key of their arguments, until their tags are invalidated', async () => {
    const asked: string[] = []
    const listView = (options: Omit<CacheViewOptions<[Request, string]>, 'backend'>) =>
      cacheView<[slug: string]>({ ...options, backend })(async ({ url }, slug) => {
        asked.push(new URL(url).search)
        return Response.json(await shop.getBooksTop(slug))
      })
    const byArguments = listView({
      ttl: 1800,
      tags: (_request, slug) => [`book_page:${slug}`, 'book_pages'],
      keyFunc: (_request, slug) => `book_list:${slug}`,
    })
    const byAddress = listView({ tags: ['book_pages'] })
    const get = (query: string): Request => new Request(`http://localhost/books/${query}`)

    await byArguments(get('?a'), 'scifi')
    const again = await byArguments(get('?b'), 'scifi')
    expect(again.headers.get('x-cache')).toBe('HIT')
    expect(titles((await again.json()) as Book[])).toEqual(['Book 04', 'Book 01'])
    for (const query of ['?page=2&q=x', '?q=x&page=2', '?page=3']) await byAddress(get(query), 'scifi')
    expect(asked.splice(0)).toEqual(['?a', '?page=2&q=x', '?page=3'])
    expect(await backend.has('book_list:scifi')).toBe(true)

    await invalidate({ tags: ['book_page:scifi'], backend })
    await byArguments(get('?c'), 'scifi')
    await byAddress(get('?page=3'), 'scifi')
    expect(asked.splice(0)).toEqual(['?c'])
    await invalidate({ tags: ['book_pages'], backend })
    await byArguments(get('?d'), 'scifi')
    await byAddress(get('?page=3'), 'scifi')
    expect(asked).toEqual(['?d', '?page=3'])
  })

  it('tells how much is cached', async () => {
    await askAll()
    await askAll()
    expect(await backend.stats()).toMatchObject({ totalKeys: 8, activeKeys: 8, hits: 8, misses: 8 })
  })

  it('searches in all genres or in one, each under its own tag', async () => {
    expect(await shop.searchBooks('ursula')).toHaveLength(23)
    expect(await shop.searchBooks('ursula', 'scifi')).toHaveLength(8)
    await shop.searchBooks('ursula')
    expect(shop.queries).toHaveLength(2)
    await invalidate({ tags: ['genre:scifi'], backend })
    expect(await shop.searchBooks.peek('ursula')).toMatchObject({ hit: true })
    expect(await shop.searchBooks.peek('ursula', 'scifi')).toEqual({ hit: false })
  })

  it('lists pages, with defaults, and knows which are next to them', async () => {
    const first = await shop.getPaginatedBooks()
    expect(first).toMatchObject({ has_next: true, has_previous: false, num_pages: 3, current_page: 1 })
    expect(await shop.getPaginatedBooks(1)).toEqual(first)
    expect(await shop.getPaginatedBooks(3)).toMatchObject({ has_next: false, has_previous: true })
    expect(await shop.getPaginatedBooks(1, 'scifi')).toMatchObject({ num_pages: 1, books: { length: 15 } })
    expect(shop.queries).toEqual(['page 1', 'page 3', 'page 1'])
    await invalidate({ tags: ['books_page:3'], backend })
    expect(await shop.getPaginatedBooks.peek(1)).toMatchObject({ hit: true })
    expect(await shop.getPaginatedBooks.peek(3)).toEqual({ hit: false })
  })
}

describe('a book shop written after the guide of the Python package', () => {
  describe('in memory', () => guide(() => new InMemoryCache({ defaultTtl: 3600 })))

  describeWith('redis', 'in Redis', () => {
    const server = useRedis()
    let shops = 0
    const create = () => {
      const prefix = `myapp${(shops += 1)}:`
      const options = { defaultTtl: 3600, valuePrefix: prefix, metaPrefix: `${prefix}meta:` }
      return new RedisCache(server.client, { ...options, deadline: '10s' })
    }
    describe('alone', () => guide(create))
    describe('with a tier in memory', () => guide(() => new TieredCache({ l2: create() })))

    it('has a command that tells of the whole Redis, and never sends KEYS', async () => {
      const { client } = create()
      const shop = openShop(create())
      await shop.getBooksTop('scifi')
      await client.config('RESETSTAT')
      const used = /^used_memory_human:(\S+)/m.exec(await client.info('memory'))?.[1]
      const found: string[] = []
      for await (const names of client.scanStream({ match: '*book*' })) found.push(...(names as string[]))
      const { totalKeys } = await create().stats()
      expect(used).toMatch(/^[\d.]+[KMG]$/)
      expect(await client.dbsize()).toBeGreaterThanOrEqual(new Set(found).size)
      expect(found).toContain(`myapp${shops - 1}:{books_top:scifi}`)
      expect(totalKeys).toBe(0)
      const sent = await client.info('commandstats')
      expect(sent).toContain('cmdstat_scan:')
      expect(sent).not.toContain('cmdstat_keys:')
    })
  })
})
