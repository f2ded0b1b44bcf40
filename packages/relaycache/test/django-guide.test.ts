import { beforeEach, describe, expect, it } from 'vitest'
import { cache, hashKey, InMemoryCache, invalidate } from '../src/index.ts'

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
})
