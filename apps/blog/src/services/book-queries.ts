import { count, eq, type SQL } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { authors, bookGenres, books, genres } from '../models/index.ts'

/** What a list shows of a book. */
export interface BookSummary {
  readonly id: number
  readonly title: string
  readonly author: string
  readonly year: number | null
  readonly isFeatured: boolean
  readonly averageRating: number | null
}

/** The columns of a {@link BookSummary}, of books joined with their first authors. */
export const summary = {
  id: books.id,
  title: books.title,
  author: authors.name,
  year: books.publicationYear,
  isFeatured: books.isFeatured,
  averageRating: books.averageRating,
}

/** A query for summaries, to be narrowed and ordered. */
export const selectSummaries = (db: Database) =>
  db.select(summary).from(books).innerJoin(authors, eq(authors.id, books.authorId))

/** A subquery: the ids of the books of a genre. */
export const inGenre = (db: Database, slug: string) =>
  db
    .select({ id: bookGenres.bookId })
    .from(bookGenres)
    .innerJoin(genres, eq(genres.id, bookGenres.genreId))
    .where(eq(genres.slug, slug))

export async function countBooks(db: Database, where?: SQL): Promise<number> {
  const [row] = await db.select({ n: count() }).from(books).where(where)
  return row?.n ?? 0
}
