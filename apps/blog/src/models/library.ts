import { relations, sql } from 'drizzle-orm'
import {
  boolean,
  check,
  date,
  index,
  integer,
  pgTable,
  real,
  smallint,
  text,
  unique,
  varchar,
} from 'drizzle-orm/pg-core'
import { baseColumns } from './base-columns.ts'

const id = () => integer('id').primaryKey().generatedByDefaultAsIdentity()

export const authors = pgTable('authors', {
  id: id(),
  name: varchar('name', { length: 255 }).notNull().unique(),
  ...baseColumns,
})

export const books = pgTable(
  'books',
  {
    id: id(),
    title: varchar('title', { length: 255 }).notNull(),
    /** The first of its authors; all of them stand in `book_authors`. */
    authorId: integer('author_id')
      .notNull()
      .references(() => authors.id),
    isbn: varchar('isbn', { length: 13 }).unique(),
    publicationDate: date('publication_date'),
    /** Negative years are BC. */
    publicationYear: integer('publication_year'),
    isFeatured: boolean('is_featured').notNull().default(false),
    languageCode: varchar('language_code', { length: 8 }),
    averageRating: real('average_rating'),
    ratingsCount: integer('ratings_count').notNull().default(0),
    /** The book's number in the goodbooks data set, by which it is found again at the next import. */
    goodreadsBookId: integer('goodreads_book_id').unique(),
    ...baseColumns,
  },
  (table) => [index('books_by_popularity').on(table.ratingsCount.desc(), table.id)],
)

export const bookAuthors = pgTable(
  'book_authors',
  {
    id: id(),
    bookId: integer('book_id')
      .notNull()
      .references(() => books.id, { onDelete: 'cascade' }),
    authorId: integer('author_id')
      .notNull()
      .references(() => authors.id),
    position: smallint('position').notNull(),
    ...baseColumns,
  },
  (table) => [unique().on(table.bookId, table.authorId)],
)

export const genres = pgTable('genres', {
  id: id(),
  name: varchar('name', { length: 100 }).notNull(),
  slug: varchar('slug', { length: 50 }).notNull().unique(),
  ...baseColumns,
})

export const bookGenres = pgTable(
  'book_genres',
  {
    id: id(),
    bookId: integer('book_id')
      .notNull()
      .references(() => books.id, { onDelete: 'cascade' }),
    genreId: integer('genre_id')
      .notNull()
      .references(() => genres.id, { onDelete: 'cascade' }),
    ...baseColumns,
  },
  (table) => [unique().on(table.bookId, table.genreId)],
)

export const publishers = pgTable('publishers', {
  id: id(),
  name: varchar('name', { length: 255 }).notNull().unique(),
  country: varchar('country', { length: 100 }).notNull(),
  ...baseColumns,
})

export const bookPublishers = pgTable(
  'book_publishers',
  {
    id: id(),
    bookId: integer('book_id')
      .notNull()
      .references(() => books.id, { onDelete: 'cascade' }),
    publisherId: integer('publisher_id')
      .notNull()
      .references(() => publishers.id, { onDelete: 'cascade' }),
    position: integer('position').notNull().default(0),
    ...baseColumns,
  },
  (table) => [unique().on(table.bookId, table.publisherId)],
)

export const reviews = pgTable(
  'reviews',
  {
    id: id(),
    bookId: integer('book_id')
      .notNull()
      .references(() => books.id, { onDelete: 'cascade' }),
    reviewer: varchar('reviewer', { length: 100 }).notNull(),
    /** 1 to 5. */
    rating: smallint('rating').notNull(),
    body: text('body').notNull(),
    ...baseColumns,
  },
  (table) => [
    unique().on(table.bookId, table.reviewer),
    check('reviews_rating', sql`${table.rating} BETWEEN 1 AND 5`),
  ],
)

export const booksRelations = relations(books, ({ one, many }) => ({
  author: one(authors, { fields: [books.authorId], references: [authors.id] }),
  authors: many(bookAuthors),
  genres: many(bookGenres),
  publishers: many(bookPublishers),
  reviews: many(reviews),
}))

export const bookAuthorsRelations = relations(bookAuthors, ({ one }) => ({
  book: one(books, { fields: [bookAuthors.bookId], references: [books.id] }),
  author: one(authors, { fields: [bookAuthors.authorId], references: [authors.id] }),
}))

export const bookGenresRelations = relations(bookGenres, ({ one }) => ({
  book: one(books, { fields: [bookGenres.bookId], references: [books.id] }),
  genre: one(genres, { fields: [bookGenres.genreId], references: [genres.id] }),
}))

export const bookPublishersRelations = relations(bookPublishers, ({ one }) => ({
  book: one(books, { fields: [bookPublishers.bookId], references: [books.id] }),
  publisher: one(publishers, { fields: [bookPublishers.publisherId], references: [publishers.id] }),
}))

export const reviewsRelations = relations(reviews, ({ one }) => ({
  book: one(books, { fields: [reviews.bookId], references: [books.id] }),
}))
