import { CleaningDF, ImportDataCommand, rowsOf, type Frame } from '@outrider/command-kit/import'
import { ref } from '@outrider/bulk-ops'
import type { Arguments } from '@outrider/command-kit'
import { getTableName } from 'drizzle-orm'
import { restoreIsbn } from '../isbn.ts'
import { authors, bookAuthors, books } from '../models/index.ts'
import type { Site } from '../site.ts'
import type { Transaction } from '../tracked-transaction.ts'

/** What a clean row of the goodbooks file holds. */
interface BookRow {
  readonly goodreadsBookId: number
  readonly title: string
  readonly authors: string
  readonly isbn: string | null
  readonly publicationYear: number | null
  readonly languageCode: string | null
  readonly averageRating: number
  readonly ratingsCount: number
}

class BooksCleaningDF extends CleaningDF {
  static override renameMap = {
    goodreadsBookId: 'goodreads_book_id',
    publicationYear: 'original_publication_year',
    languageCode: 'language_code',
    averageRating: 'average_rating',
    ratingsCount: 'ratings_count',
  }
  static override colDtypeMap = {
    goodreadsBookId: 'integer',
    title: 'string',
    authors: 'string',
    isbn: 'string',
    publicationYear: 'integer',
    languageCode: 'string',
    averageRating: 'float',
    ratingsCount: 'integer',
  } as const
  static override colPrecisionMap = { averageRating: 2 }
  static override noNullCols = ['goodreadsBookId', 'title', 'authors', 'averageRating', 'ratingsCount']
  static override uniqueSubsets = [['goodreadsBookId']]
}

/** The goodbooks data set: books with their authors, found again by their number there. */
export class ImportBooks extends ImportDataCommand<Site> {
  static override help = 'Imports books and their authors from a file of the goodbooks data set'
  #unverifiedIsbns = 0
  /** Of the batch that is being written. */
  #transaction: Transaction | undefined

  addCommandArguments(p: Arguments) {
    return p
  }

  getCleaningDf() {
    const isbn = (text: string): string | null => {
      const restored = restoreIsbn(text)
      if (restored === undefined) this.#unverifiedIsbns += 1
      return restored ?? null
    }
    return class extends BooksCleaningDF {
      static override colConverterMap = { isbn, publicationYear: wholeYear }
    }
  }

  override getNaturalKeys() {
    return [
      [authors, ['name']],
      [books, ['goodreadsBookId']],
      [bookAuthors, ['bookId', 'authorId']],
    ] as const
  }

  override getDb() {
    return this.#transaction ?? this.context.database.db
  }

  getBulksByModel(df: Frame) {
    const authorRows = new Map<string, { name: string }>()
    const authorNamed = (name: string): { name: string } => {
      const row = authorRows.get(name) ?? { name }
      authorRows.set(name, row)
      return row
    }
    const bookRows: object[] = []
    const bookAuthorRows: object[] = []
    for (const { authors: names, ...columns } of rowsOf(df) as Iterable<BookRow>) {
      const writers = Array.from(new Set(names.split(',').map((name) => name.trim())), authorNamed)
      const [first] = writers
      const book = { ...columns, authorId: first && ref(first) }
      bookRows.push(book)
      for (const [position, author] of writers.entries()) {
        bookAuthorRows.push({ bookId: ref(book), authorId: ref(author), position })
      }
    }
    return [
      [authors, [...authorRows.values()]],
      [books, bookRows],
      [bookAuthors, bookAuthorRows],
    ] as const
  }

  /** Writes a batch, which takes the lists and these books out of the cache; other books stay there. */
  override async importToDb(bulks: Parameters<ImportDataCommand['importToDb']>[0]) {
    const rows = new Map(bulks)
    if (this.dryRun) return super.importToDb(rows)
    return this.context.transaction('import_books', async (tx, touch) => {
      this.#transaction = tx
      const counts = await super.importToDb(rows).finally(() => (this.#transaction = undefined))
      const bookIds = idsOf(rows.get(books))
      for (const [table, column, values] of [
        [authors, authors.id, idsOf(rows.get(authors))],
        [books, books.id, bookIds],
        [bookAuthors, bookAuthors.bookId, bookIds],
      ] as const)
        touch({ table, column, values, counts: counts.get(getTableName(table)) })
      return counts
    })
  }

  override async handleCommand() {
    const result = await super.handleCommand()
    if (this.#unverifiedIsbns > 0) {
      this.log.warn(
        `${this.#unverifiedIsbns} books have an ISBN whose check digit is wrong; they were taken without it`,
      )
    }
    return result
  }
}

/** The keys that rows were given when they were written. */
function idsOf(rows: readonly object[] = []): number[] {
  return (rows as readonly { id?: number }[]).flatMap(({ id }) => id ?? [])
}

/** A year as the data set writes it, such as "2008.0"; negative years are BC. @throws when it is no whole number */
function wholeYear(text: string): number {
  const year = Number(text)
  if (!Number.isInteger(year)) throw new Error('Expected a whole year')
  return year
}
