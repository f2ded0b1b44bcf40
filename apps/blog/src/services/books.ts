import { cache, type CacheBackend, type CachedFunction } from '@outrider/relaycache'
import { and, count, desc, eq, gte, inArray, lt, notInArray, sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { authors, bookGenres, bookPublishers, books, genres } from '../models/index.ts'
import { countBooks, inGenre, selectSummaries, type BookSummary } from './book-queries.ts'
import { NotFoundError } from './not-found.ts'

/** Books on one page of a list. */
const PAGE_SIZE = 20

interface BookPage {
  readonly books: readonly BookSummary[]
  readonly has_next: boolean
  readonly has_previous: boolean
  readonly num_pages: number
  readonly current_page: number
  readonly total: number
}

interface Named {
  readonly id: number
  readonly name: string
}

interface BookDetails extends BookSummary {
  readonly authorId: number
  readonly isbn: string | null
  readonly authors: readonly Named[]
  readonly genres: readonly { readonly name: string; readonly slug: string }[]
  readonly publishers: readonly Named[]
  readonly publicationDate: string | null
  readonly reviews: readonly { readonly reviewer: string; readonly rating: number; readonly body: string }[]
}

interface GenreSummary {
  readonly name: string
  readonly slug: string
  readonly books: number
}

interface BookStatistics {
  readonly total_books: number
  readonly featured_books: number
  readonly recent_books: number
}

/** What pages show of books, cached with the tags by which commands and changes invalidate it. */
export interface BookService {
  /** One page of the books of a genre or of all, the most rated first; a page beyond the last gives the last. */
  readonly getPaginatedBooks: CachedFunction<[page: number, genre?: string | undefined], BookPage>
  readonly listGenres: CachedFunction<[], GenreSummary[]>
  /** The featured books of a genre, by the position of their publisher. Rejects with {@link NotFoundError}. */
  readonly getBooksTop: CachedFunction<[slug: string], { genre: GenreSummary; books: BookSummary[] }>
  /** Books outside of a genre, by title, at most {@link PAGE_SIZE}. */
  readonly getBooksAllExcept: CachedFunction<[slug: string], BookSummary[]>
  /** Rejects with {@link NotFoundError}, which is not cached: the next import may bring the book. */
  readonly getBookDetails: CachedFunction<[id: number], BookDetails>
  readonly getBookStatistics: CachedFunction<[], BookStatistics>
}

const LISTINGS = ['books', 'book_listings']

export function createBookService(db: Database, backend: CacheBackend): BookService {
  const shared = { backend, distributedSingleflight: true }

  return {
    getPaginatedBooks: cache(
      {
        ...shared,
        ttl: '30m',
        key: (page, genre) => `books:page:${page}:genre:${genre ?? 'all'}`,
        tags: (page, genre) => [
          `books_page:${page}`,
          genre === undefined ? 'all_genres' : `genre:${genre}`,
          ...LISTINGS,
        ],
      },
      async (page: number, genre?: string): Promise<BookPage> => {
        const where = genre === undefined ? undefined : inArray(books.id, inGenre(db, genre))
        const total = await countBooks(db, where)
        const numPages = Math.max(1, Math.ceil(total / PAGE_SIZE))
        const currentPage = Math.min(page, numPages)
        return {
          books: await selectSummaries(db)
            .where(where)
            .orderBy(desc(books.ratingsCount), books.id)
            .limit(PAGE_SIZE)
            .offset((currentPage - 1) * PAGE_SIZE),
          has_next: currentPage < numPages,
          has_previous: currentPage > 1,
          num_pages: numPages,
          current_page: currentPage,
          total,
        }
      },
    ),

    listGenres: cache({ ...shared, ttl: '30m', key: 'genres', tags: LISTINGS }, () =>
      db
        .select({ name: genres.name, slug: genres.slug, books: count(bookGenres.id) })
        .from(genres)
        .leftJoin(bookGenres, eq(bookGenres.genreId, genres.id))
        .groupBy(genres.id)
        .orderBy(genres.name),
    ),

    getBooksTop: cache(
      {
        ...shared,
        ttl: '30m',
        key: (slug) => `books_top:${slug}`,
        tags: (slug) => [`books_top:${slug}`, ...LISTINGS],
      },
      async (slug: string) => {
        const [genre] = await db.select().from(genres).where(eq(genres.slug, slug))
        if (!genre) throw new NotFoundError()
        const inThisGenre = inArray(books.id, inGenre(db, slug))
        const found = await selectSummaries(db)
          .leftJoin(bookPublishers, eq(bookPublishers.bookId, books.id))
          .where(and(inThisGenre, eq(books.isFeatured, true)))
          .groupBy(books.id, authors.name)
          .orderBy(sql`min(${bookPublishers.position}) nulls last`, books.title)
        const number = await countBooks(db, inThisGenre)
        return { genre: { name: genre.name, slug, books: number }, books: found }
      },
    ),

    getBooksAllExcept: cache(
      {
        ...shared,
        ttl: '30m',
        key: (slug) => `books_all_except:${slug}`,
        tags: (slug) => [`books_all:${slug}`, ...LISTINGS],
      },
      (slug: string) =>
        selectSummaries(db)
          .where(notInArray(books.id, inGenre(db, slug)))
          .orderBy(books.title)
          .limit(PAGE_SIZE),
    ),

    getBookDetails: cache(
      {
        ...shared,
        ttl: '1h',
        key: 'book',
        tags: (id) => [`book:${id}`, 'books'],
        // whom it names is known only once it is read; they may be renamed
        resultTags: ({ authorId, authors, genres, publishers }) => [
          `author:${authorId}`,
          ...authors.map(({ id }) => `author:${id}`),
          ...genres.map(({ slug }) => `genre:${slug}`),
          ...publishers.map(({ id }) => `publisher:${id}`),
        ],
      },
      async (id: number): Promise<BookDetails> => {
        const book = await db.query.books.findFirst({
          where: eq(books.id, id),
          with: {
            author: true,
            authors: { with: { author: true }, orderBy: (table) => table.position },
            genres: { with: { genre: true } },
            publishers: { with: { publisher: true }, orderBy: (table) => table.position },
            reviews: { orderBy: (table) => table.id },
          },
        })
        if (!book) throw new NotFoundError()
        return {
          id,
          title: book.title,
          author: book.author.name,
          authorId: book.authorId,
          year: book.publicationYear,
          isFeatured: book.isFeatured,
          averageRating: book.averageRating,
          isbn: book.isbn,
          authors: book.authors.map(({ author }) => named(author)),
          genres: book.genres.map(({ genre }) => ({ name: genre.name, slug: genre.slug })),
          publishers: book.publishers.map(({ publisher }) => named(publisher)),
          publicationDate: book.publicationDate,
          reviews: book.reviews.map(({ reviewer, rating, body }) => ({ reviewer, rating, body })),
        }
      },
    ),

    getBookStatistics: cache(
      { ...shared, ttl: '2h', key: () => 'book_global_stats', tags: ['book_stats', 'analytics'] },
      async (): Promise<BookStatistics> => ({
        total_books: await countBooks(db),
        featured_books: await countBooks(db, eq(books.isFeatured, true)),
        recent_books: await countBooks(
          db,
          and(gte(books.publicationYear, 2024), lt(books.publicationYear, 2025)),
        ),
      }),
    ),
  }
}

const named = ({ id, name }: Named): Named => ({ id, name })
