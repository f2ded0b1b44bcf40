import { join } from 'node:path'
import { ref } from '@outrider/bulk-ops'
import { temporaryDirectory } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { integer, primaryKey, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Arguments } from '../src/index.ts'
import { CleaningDF, ImportDataCommand, rowsOf, type BulksByModel, type Frame } from '../src/import/index.ts'

const authors = sqliteTable('authors', {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
})
const books = sqliteTable('books', {
  id: integer().primaryKey(),
  goodreadsBookId: integer('goodreads_book_id').notNull().unique(),
  title: text().notNull(),
  isbn: text(),
  year: integer(),
  rating: real(),
  authorId: integer('author_id')
    .notNull()
    .references(() => authors.id),
})
const bookAuthors = sqliteTable(
  'book_authors',
  {
    bookId: integer('book_id')
      .notNull()
      .references(() => books.id),
    authorId: integer('author_id')
      .notNull()
      .references(() => authors.id),
    position: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.bookId, table.authorId] })],
)

const schema = `
  CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE books (
    id INTEGER PRIMARY KEY, goodreads_book_id INTEGER NOT NULL UNIQUE, title TEXT NOT NULL CHECK (title <> 'refused'),
    isbn TEXT, year INTEGER, rating REAL, author_id INTEGER NOT NULL REFERENCES authors (id)
  );
  CREATE TABLE book_authors (
    book_id INTEGER NOT NULL REFERENCES books (id), author_id INTEGER NOT NULL REFERENCES authors (id),
    position INTEGER NOT NULL, PRIMARY KEY (book_id, author_id)
  );`

/** The rules for files with the shape of goodbooks' books.csv. */
export class BooksCleaningDF extends CleaningDF {
  static override renameMap: (typeof CleaningDF)['renameMap'] = {
    goodreadsBookId: 'goodreads_book_id',
    year: ['original_publication_year', 'year'],
    rating: 'average_rating',
  }
  static override colDtypeMap: (typeof CleaningDF)['colDtypeMap'] = {
    goodreadsBookId: 'integer',
    title: 'string',
    authors: 'string',
    isbn: 'string',
    year: 'integer',
    rating: 'float',
  }
  static override colConverterMap: (typeof CleaningDF)['colConverterMap'] = {
    isbn: (digits) => digits.padStart(10, '0'),
    year: Number,
  }
  static override noNullCols: readonly string[] = ['goodreadsBookId', 'title', 'authors']
}

interface BookRow {
  goodreadsBookId: number
  authors: string
}

/** Imports books with their authors. */
export class ImportBooks extends ImportDataCommand<{ db: BetterSQLite3Database }> {
  addCommandArguments(p: Arguments): Arguments {
    return p
  }

  getCleaningDf(): typeof CleaningDF {
    return BooksCleaningDF
  }

  override getNaturalKeys(): ReturnType<ImportDataCommand['getNaturalKeys']> {
    return [
      [authors, ['name']],
      [books, ['goodreadsBookId']],
      [bookAuthors, ['bookId', 'authorId']],
    ]
  }

  getBulksByModel(df: Frame): BulksByModel {
    const people = new Map<string, { name: string }>()
    const personOf = (name: string) => {
      const person = people.get(name) ?? { name }
      people.set(name, person)
      return person
    }
    const novels: object[] = []
    const links: object[] = []
    for (const { authors: names, ...row } of rowsOf<BookRow>(df)) {
      const writers = [...new Set(names.split(',').map((name) => name.trim()))].map(personOf)
      const book = { ...row, authorId: ref(writers[0] ?? personOf('')) }
      novels.push(book)
      links.push(
        ...writers.map((writer, position) => ({ bookId: ref(book), authorId: ref(writer), position })),
      )
    }
    return [
      [bookAuthors, links],
      [books, novels],
      [authors, [...people.values()]],
    ]
  }
}

/** A database file with empty tables in a folder of its own. */
export interface Library extends AsyncDisposable {
  readonly folder: string
  readonly context: { readonly db: BetterSQLite3Database }
  /** Runs SQL, and returns rows as arrays. */
  readonly query: (sql: string) => unknown[]
}

export async function openLibrary(): Promise<Library> {
  const folder = await temporaryDirectory()
  const client = new Database(join(folder.path, 'library.db'))
  client.exec(schema)
  return {
    folder: folder.path,
    context: { db: drizzle(client) },
    query: (sql) => client.prepare(sql).raw().all(),
    async [Symbol.asyncDispose]() {
      client.close()
      await folder.remove()
    },
  }
}

export const header =
  'book_id,goodreads_book_id,isbn,authors,original_publication_year,title,average_rating,image_url'
