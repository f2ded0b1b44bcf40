import { beforeEach, describe, expect, it } from 'vitest'
import { cacheView } from '../src/http/index.ts'
import { cache, hashKey, InMemoryCache, invalidate, type CacheBackend } from '../src/index.ts'
import { serveFetch } from './serve-fetch.ts'

/** What users of the Python package do, in its own examples. */
describe('a book shop written after the guide of the Python package', () => {
  let backend: InMemoryCache
  let queries: string[]
  beforeEach(() => {
    backend = new InMemoryCache({ defaultTtl: 3600 })
    queries = []
  })
  const query = async (text: string) => {
    queries.push(text)
    return [{ title: text }]
  }

  it('keeps lists by genre until one genre or all books change', async () => {
    const getBooksTop = cache({
      ttl: 1800,
      backend,
      tags: (slug: string) => [`books_top:${slug}`, 'books', 'book_listings'],
      key: (slug: string) => `books_top:${slug}`,
    })((slug: string) => query(`top ${slug}`))

    await getBooksTop('scifi')
    await getBooksTop('crime')
    expect(getBooksTop.keyOf('scifi')).toBe('books_top:scifi')
    await invalidate({ tags: ['books_top:scifi', 'books_all:scifi'], backend })
    await getBooksTop('scifi')
    await getBooksTop('crime')
    expect(queries).toEqual(['top scifi', 'top crime', 'top scifi'])
    await invalidate({ tags: ['books', 'book_listings', 'book_stats'], backend })
    await getBooksTop('crime')
    expect(queries).toHaveLength(4)
  })

  it('caches a book that does not exist', async () => {
    const getBookDetails = cache(
      { ttl: 3600, backend, tags: (bookId: number) => [`book:${bookId}`, 'books'] },
      async function getBookDetails(bookId: number) {
        await query(`book ${bookId}`)
        return null
      },
    )
    expect(await getBookDetails(1)).toBeNull()
    expect(await getBookDetails(1)).toBeNull()
    expect(queries).toEqual(['book 1'])
  })

  it('keeps statistics under one key without arguments', async () => {
    const getBookStatistics = cache(
      { ttl: 7200, backend, tags: () => ['book_stats', 'analytics'], key: () => 'book_global_stats' },
      () => query('statistics'),
    )
    await getBookStatistics()
    expect(await backend.get('book_global_stats')).toEqual({ hit: true, value: [{ title: 'statistics' }] })
    await invalidate({ tags: ['analytics'], backend })
    expect(await backend.has('book_global_stats')).toBe(false)
  })

  it('keeps searches with an optional genre, and pages with defaults', async () => {
    const searchBooks = cache(
      {
        ttl: 900,
        backend,
        tags: (text, genre) => [
          `search:${hashKey(text)}`,
          'book_search',
          genre ? `genre:${genre}` : 'all_genres',
        ],
        key: (text, genre) => `search:${hashKey(text)}:genre:${genre ?? 'all'}`,
      },
      async function searchBooks(text: string, genre?: string) {
        return query(`search ${text} in ${genre ?? 'all'}`)
      },
    )
    const getPaginatedBooks = cache(
      {
        ttl: 1800,
        backend,
        tags: (page: number = 1) => [`books_page:${page}`, 'book_listings'],
        key: (page: number = 1, genre?: string) => `books:page:${page}:genre:${genre ?? 'all'}`,
      },
      async function getPaginatedBooks(page: number = 1, genre?: string) {
        return query(`page ${page} of ${genre ?? 'all'}`)
      },
    )
    await searchBooks('dune')
    await searchBooks('dune', 'scifi')
    await searchBooks('dune')
    await getPaginatedBooks()
    await getPaginatedBooks(1)
    expect(queries).toEqual(['search dune in all', 'search dune in scifi', 'page 1 of all'])
    await invalidate({ tags: ['genre:scifi'], backend })
    expect(await searchBooks.peek('dune')).toMatchObject({ hit: true })
    expect(await searchBooks.peek('dune', 'scifi')).toEqual({ hit: false })
  })

  it('caches views by wrapping for each request, and clears everything', async () => {
    const cacheView = (path: string) =>
      cache({ ttl: 1800, backend, tags: [`page:${path}`], key: () => `view:${path}` }, () => query(path))()
    await Promise.all([cacheView('/books'), cacheView('/books'), cacheView('/books')])
    await cacheView('/books')
    expect(queries).toEqual(['/books'])
    await backend.clear()
    await cacheView('/books')
    expect(queries).toHaveLength(2)
  })

  it('caches views by path and query, or by a key of the arguments, until their tags are invalidated', async () => {
    const bookList = cacheView({
      ttl: 1800,
      backend,
      tags: (_request: Request, slug: string) => [`book_page:${slug}`, 'book_pages'],
      keyFunc: (_request, slug) => `book_list:${slug}`,
    })(async (_request, slug: string) => Response.json(await query(`list ${slug}`)))
    const bookPage = cacheView({ backend, tags: ['book_pages'] })(async (request) =>
      Response.json(await query(new URL(request.url).search)),
    )
    const get = (path: string): Request => new Request(`http://localhost${path}`)

    await bookList(get('/books/scifi'), 'scifi')
    const again = await bookList(get('/books/scifi?utm_source=mail'), 'scifi')
    expect(await again.json()).toEqual([{ title: 'list scifi' }])
    await bookPage(get('/books?page=2&genre=scifi'))
    await bookPage(get('/books?genre=scifi&page=2'))
    await bookPage(get('/books?genre=scifi&page=3'))
    expect(queries).toEqual(['list scifi', '?page=2&genre=scifi', '?genre=scifi&page=3'])
    expect(await backend.has('book_list:scifi')).toBe(true)
    await invalidate({ tags: ['book_page:scifi'], backend })
    await bookList(get('/books/scifi'), 'scifi')
    await bookPage(get('/books?page=2&genre=scifi'))
    expect(queries).toHaveLength(4)
    await invalidate({ tags: ['book_pages'], backend })
    await bookPage(get('/books?page=2&genre=scifi'))
    expect(queries).toHaveLength(5)
  })

  it('searches and lists pages for an API, and clears the cache for an administrator', async () => {
    const searchBooks = cache(
      {
        ttl: 900,
        backend,
        tags: (text) => [`search:${hashKey(text)}`, 'book_search', 'books'],
        key: (text, genre) => `search:${hashKey(text)}:genre:${genre ?? 'all'}`,
      },
      async (text: string, genre?: string) => query(`search ${text} in ${genre ?? 'all'}`),
    )
    const getPaginatedBooks = cache(
      {
        ttl: 1800,
        backend,
        tags: (page, genre) => [`books_page:${page}`, genre ? `genre:${genre}` : 'all_genres'],
      },
      async function getPaginatedBooks(page: number, genre?: string) {
        const books = await query(`page ${page} of ${genre ?? 'all'}`)
        return { books, hasNext: page < 3, hasPrevious: page > 1, numPages: 3, currentPage: page }
      },
    )
    const server = await serveFetch(async (request) => {
      const { pathname, searchParams } = new URL(request.url)
      const genre = searchParams.get('genre') ?? undefined
      if (pathname === '/clear') return clearCache(request, backend)
      if (pathname === '/list')
        return Response.json(await getPaginatedBooks(Number(searchParams.get('page') ?? 1), genre))
      const text = searchParams.get('q')
      if (!text) return Response.json({ error: 'Query parameter required' }, { status: 400 })
      return Response.json({ books: await searchBooks(text, genre) })
    })
    const get = async (path: string): Promise<unknown> => (await fetch(server.url + path)).json()
    const clear = async (type: string): Promise<number> =>
      (await fetch(`${server.url}/clear?cache_type=${type}`, { method: 'POST' })).status

    expect((await fetch(`${server.url}/search`)).status).toBe(400)
    for (let i = 0; i < 2; i++) {
      expect(await get('/search?q=dune')).toEqual({ books: [{ title: 'search dune in all' }] })
      expect(await get('/list?page=2&genre=scifi')).toEqual({
        books: [{ title: 'page 2 of scifi' }],
        hasNext: true,
        hasPrevious: true,
        numPages: 3,
        currentPage: 2,
      })
    }
    expect(queries).toHaveLength(2)
    expect((await fetch(`${server.url}/clear?cache_type=all`)).status).toBe(405)
    expect(await clear('films')).toBe(400)
    expect(await clear('books')).toBe(200)
    await get('/search?q=dune')
    await get('/list?page=2&genre=scifi')
    expect(queries).toHaveLength(3)
    expect(await clear('all')).toBe(200)
    await get('/search?q=dune')
    await get('/list?page=2&genre=scifi')
    expect(queries).toHaveLength(5)
    expect(await backend.stats()).toMatchObject({ totalKeys: 2, activeKeys: 2, approximate: false })
    await server.close()
  })
})

async function clearCache(request: Request, backend: CacheBackend): Promise<Response> {
  if (request.method !== 'POST') return new Response(null, { status: 405 })
  const type = new URL(request.url).searchParams.get('cache_type')
  if (type === 'all') await backend.clear()
  else if (type === 'books' || type === 'stats')
    await invalidate({ tags: [type === 'books' ? 'books' : 'book_stats'], backend })
  else return Response.json({ status: 'error', message: 'Invalid cache_type' }, { status: 400 })
  return Response.json({ status: 'success' })
}
