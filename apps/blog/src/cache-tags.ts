import type { KeyedRow, RowChange } from './tracked-transaction.ts'

const LISTED = ['book_listings', 'book_search'] as const
const ofBook = ({ bookId }: KeyedRow): readonly string[] => [`book:${bookId}`, ...LISTED]

/**
 * For each table: the tags of what shows one of its rows. Lists carry `book_listings` whatever they list, so none of
 * their finer tags is named; what shows no more than one book carries `books` only to be cleared with all others. Posts
 * have `post_listings` and `posts` in the same way.
 */
export const tagsOfRow: Readonly<Record<string, (row: KeyedRow) => readonly string[]>> = {
  books: ({ id }) => [`book:${id}`, ...LISTED, 'book_stats'],
  book_authors: ofBook,
  book_genres: ofBook,
  book_publishers: ofBook,
  authors: ({ id }) => [`author:${id}`, ...LISTED],
  genres: ({ slug }) => [`genre:${slug}`, ...LISTED],
  publishers: ({ id }) => [`publisher:${id}`],
  reviews: ({ bookId }) => [`book:${bookId}`],
  posts: ({ slug }) => [`post:${slug}`, 'post_listings'],
}

/** The tags of everything that shows, or showed, one of the rows that changed; each once. */
export function tagsOf(changes: readonly RowChange[]): string[] {
  const tags = new Set<string>()
  for (const { model, rows } of changes) {
    for (const row of rows) for (const tag of tagsOfRow[model]?.(row) ?? []) tags.add(tag)
  }
  return [...tags]
}
