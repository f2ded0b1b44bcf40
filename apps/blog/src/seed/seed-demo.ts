import { bulkCreateBulksInSteps, ref } from '@outrider/bulk-ops'
import { getTableName } from 'drizzle-orm'
import { renderMarkdown } from '../markdown.ts'
import {
  authors,
  bookAuthors,
  bookGenres,
  bookPublishers,
  books,
  genres,
  posts,
  publishers,
  reviews,
} from '../models/index.ts'
import type { Site } from '../site.ts'
import { genreNames, isbnOf, publisherRows, reviewsOf, seedBooks } from './library.ts'
import { seedPosts } from './posts.ts'

/**
 * Writes the demo's books and posts, unless there are any: what was changed or deleted since the first time stays so.
 * When several processes do so at once, each finds the rows of the others by their natural keys. `actor` is whom the
 * audit log names.
 */
export async function seedDemo(site: Pick<Site, 'transaction'>, actor: string): Promise<void> {
  const genreRows = genreNames.map((name) => ({ name, slug: name.toLowerCase() }))
  const authorRows = [...new Set(seedBooks.flatMap((book) => book.authors))].map((name) => ({ name }))
  const publisherList = publisherRows.map((row) => ({ ...row }))
  const author = byKey(authorRows, ({ name }) => name)
  const genre = byKey(genreRows, ({ name }) => name)

  const bookRows = seedBooks.map(({ title, authors: [first = ''], year, featured = false }, index) => ({
    title,
    authorId: ref(author(first)),
    isbn: isbnOf(index),
    publicationYear: year,
    isFeatured: featured,
    averageRating: averageOf(reviewsOf(index).map(({ rating }) => rating)),
    ratingsCount: reviewsOf(index).length,
    languageCode: 'eng',
  }))
  const bookAt = (index: number) => ref(bookRows[index] ?? {})
  const perBook = <T>(make: (book: (typeof seedBooks)[number], index: number) => T[]): T[] =>
    seedBooks.flatMap(make)

  const entries = [
    [genres, genreRows],
    [publishers, publisherList],
    [authors, authorRows],
    [books, bookRows],
    [
      bookAuthors,
      perBook((book, index) =>
        book.authors.map((name, position) => ({
          bookId: bookAt(index),
          authorId: ref(author(name)),
          position,
        })),
      ),
    ],
    [
      bookGenres,
      perBook((book, index) =>
        book.genres.map((name) => ({ bookId: bookAt(index), genreId: ref(genre(name)) })),
      ),
    ],
    [
      bookPublishers,
      perBook((_, index) => [
        {
          bookId: bookAt(index),
          publisherId: ref(publisherList[index % publisherList.length] ?? {}),
          position: index,
        },
      ]),
    ],
    [
      reviews,
      perBook((_, index) => reviewsOf(index).map((review) => ({ bookId: bookAt(index), ...review }))),
    ],
    [posts, seedPosts.map((post) => ({ ...post, bodyHtml: renderMarkdown(post.body) }))],
  ] as const

  await site.transaction(actor, async (tx, touch) => {
    if ((await tx.$count(books)) + (await tx.$count(posts)) > 0) return
    const made = await bulkCreateBulksInSteps(tx, entries, {
      returning: 'ids',
      onConflict: [
        [genres, { target: 'slug' }],
        [publishers, { target: 'name' }],
        [authors, { target: 'name' }],
        [books, { target: 'isbn' }],
        [bookAuthors, { target: ['bookId', 'authorId'] }],
        [bookGenres, { target: ['bookId', 'genreId'] }],
        [bookPublishers, { target: ['bookId', 'publisherId'] }],
        [reviews, { target: ['bookId', 'reviewer'] }],
        [posts, { target: 'slug' }],
      ],
    })
    for (const [table] of entries) {
      const counts = made.counts.get(getTableName(table))
      touch({ table, column: table.id, values: made.get(table), counts })
    }
  })
}

function byKey<T>(rows: readonly T[], keyOf: (row: T) => string): (key: string) => T {
  const index = new Map(rows.map((row) => [keyOf(row), row]))
  return (key) => {
    const row = index.get(key)
    if (!row) throw new Error(`The demo's data names ${JSON.stringify(key)}, which it does not have`)
    return row
  }
}

function averageOf(ratings: readonly number[]): number {
  return Math.round((10 * ratings.reduce((sum, rating) => sum + rating, 0)) / ratings.length) / 10
}
