import { cache, type CacheBackend, type CachedFunction } from '@outrider/relaycache'
import { and, count, desc, eq, gte, inArray, lt, notInArray, sql, type SQL } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { authors, bookGenres, bookPublishers, books, genres } from '../models/index.ts'
import { NotFoundError } from './not-found.ts'

/** Books on one page of a list. */
const PAGE_SIZE = 20

interface BookSummary {
  readonly id: number
  readonly title: string
  readonly author: string
  readonly year: number | null
  readonly isFeatured: boolean
  readonly averageRating: number | null
}

interface BookPage {
  readonly books: readonly BookSummary[]
  readonly currentPage: number
  readonly numPages: number
  readonly total: number
}

interface BookDetails extends BookSummary {
  readonly isbn: string | null
  readonly authors: readonly string[]
  readonly genres: readonly { readonly name: string; readonly slug: string }[]
  readonly publishers: readonly string[]
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

/** What pages show of books, cached with the tags by which commands and signals invalidate it. */
export interface BookService {
  /** One page of all books, the most rated first; a page beyond the last gives the last. */
  readonly listBooks: CachedFunction<[page: number], BookPage>
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
  const summary = {
    id: books.id,
    title: books.title,
    author: authors.name,
    year: books.publicationYear,
    isFeatured: books.isFeatured,
    averageRating: books.averageRating,
  }
  const summaries = () => db.select(summary).from(books).innerJoin(authors, eq(authors.id, books.authorId))
  const total = async (where?: SQL): Promise<number> => {
    const [row] = await db.select({ n: count() }).from(books).where(where)
    return row?.n ?? 0
  }
  const inGenre = (slug: string) =>
    db
      .select({ id: bookGenres.bookId })
      .from(bookGenres)
      .innerJoin(genres, eq(genres.id, bookGenres.genreId))
      .where(eq(genres.slug, slug))

  return {
    listBooks: cache(
      { ttl: '30m', backend, key: 'books_list', tags: LISTINGS },
      async (page: number): Promise<BookPage> => {
        const all = await total()
        const numPages = Math.max(1, Math.ceil(all / PAGE_SIZE))
        const currentPage = Math.min(page, numPages)
        const found = await summaries()
          .orderBy(desc(books.ratingsCount), books.id)
          .limit(PAGE_SIZE)
          .offset((currentPage - 1) * PAGE_SIZE)
        return { books: found, currentPage, numPages, total: all }
      },
    ),

    listGenres: cache({ ttl: '30m', backend, key: 'genres', tags: LISTINGS }, () =>
      db
        .select({ name: genres.name, slug: genres.slug, books: count(bookGenres.id) })
        .from(genres)
        .leftJoin(bookGenres, eq(bookGenres.genreId, genres.id))
        .groupBy(genres.id)
        .orderBy(genres.name),
    ),

    getBooksTop: cache(
      {
        ttl: '30m',
        backend,
        key: (slug) => `books_top:${slug}`,
        tags: (slug) => [`books_top:${slug}`, ...LISTINGS],
      },
      async (slug: string) => {
        const [genre] = await db.select().from(genres).where(eq(genres.slug, slug))
        if (!genre) throw new NotFoundError()
        const found = await summaries()
          .leftJoin(bookPublishers, eq(bookPublishers.bookId, books.id))
          .where(and(inArray(books.id, inGenre(slug)), eq(books.isFeatured, true)))
          .groupBy(books.id, authors.name)
          .orderBy(sql`min(${bookPublishers.position}) nulls last`, books.title)
        const number = await total(inArray(books.id, inGenre(slug)))
        return { genre: { name: genre.name, slug, books: number }, books: found }
      },
    ),

    getBooksAllExcept: cache(
      {
        ttl: '30m',
        backend,
        key: (slug) => `books_all_except:${slug}`,
        tags: (slug) => [`books_all:${slug}`, ...LISTINGS],
      },
      (slug: string) =>
        summaries()
          .where(notInArray(books.id, inGenre(slug)))
          .orderBy(books.title)
          .limit(PAGE_SIZE),
    ),

    getBookDetails: cache(
      { ttl: '1h', backend, key: 'book', tags: (id) => [`book:${id}`, 'books'] },
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
          year: book.publicationYear,
          isFeatured: book.isFeatured,
          averageRating: book.averageRating,
          isbn: book.isbn,
          authors: book.authors.map(({ author }) => author.name),
          genres: book.genres.map(({ genre }) => ({ name: genre.name, slug: genre.slug })),
          publishers: book.publishers.map(({ publisher }) => publisher.name),
          publicationDate: book.publicationDate,
          reviews: book.reviews.map(({ reviewer, rating, body }) => ({ reviewer, rating, body })),
        }
      },
    ),

    getBookStatistics: cache(
      { ttl: '2h', backend, key: 'book_global_stats', tags: ['book_stats', 'analytics'] },
      async (): Promise<BookStatistics> => ({
        total_books: await total(),
        featured_books: await total(eq(books.isFeatured, true)),
        recent_books: await total(and(gte(books.publicationYear, 2024), lt(books.publicationYear, 2025))),
      }),
    ),
  }
}
