import { cache, hashKey, type CacheBackend, type CachedFunction } from '@outrider/relaycache'
import { and, desc, eq, ilike, inArray, or } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { authors, bookAuthors, books } from '../models/index.ts'
import { inGenre, summary, type BookSummary } from './book-queries.ts'

/** The most books that a search gives. */
const MAX_FOUND = 50

interface FoundBook extends BookSummary {
  readonly isbn: string | null
  readonly publicationDate: string | null
}

export interface BookSearch {
  /**
   * Books with a text in their title, the name of one of their authors or their ISBN, whatever its case; of one genre
   * or of all. The most rated first, at most {@link MAX_FOUND}.
   */
  readonly searchBooks: CachedFunction<[query: string, genre?: string | undefined], FoundBook[]>
}

export function createBookSearch(db: Database, backend: CacheBackend): BookSearch {
  return {
    searchBooks: cache(
      {
        ttl: '15m',
        backend,
        distributedSingleflight: true,
        key: (query, genre) => `search:${hashKey(query)}:genre:${genre ?? 'all'}`,
        tags: (query, genre) => [
          `search:${hashKey(query)}`,
          'book_search',
          genre === undefined ? 'all_genres' : `genre:${genre}`,
          'books',
        ],
      },
      async (query: string, genre?: string): Promise<FoundBook[]> => {
        const pattern = `%${query.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
        const byAuthor = db
          .select({ id: bookAuthors.bookId })
          .from(bookAuthors)
          .innerJoin(authors, eq(authors.id, bookAuthors.authorId))
          .where(ilike(authors.name, pattern))
        return db
          .select({ ...summary, isbn: books.isbn, publicationDate: books.publicationDate })
          .from(books)
          .innerJoin(authors, eq(authors.id, books.authorId))
          .where(
            and(
              or(
                ilike(books.title, pattern),
                ilike(authors.name, pattern),
                ilike(books.isbn, pattern),
                inArray(books.id, byAuthor),
              ),
              genre === undefined ? undefined : inArray(books.id, inGenre(db, genre)),
            ),
          )
          .orderBy(desc(books.ratingsCount), books.id)
          .limit(MAX_FOUND)
      },
    ),
  }
}
