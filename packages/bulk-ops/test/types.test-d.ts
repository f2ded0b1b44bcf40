import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, pgTable, primaryKey, serial, text, timestamp } from 'drizzle-orm/pg-core'
import { describe, expectTypeOf, it } from 'vitest'
import { bulkCreateBulksInSteps, bulkCreateInSteps, ref, type BulkCounts } from '../src/index.ts'

const authors = pgTable('authors', {
  id: serial().primaryKey(),
  name: text().notNull(),
  at: timestamp().notNull().defaultNow(),
})
const books = pgTable('books', {
  id: serial().primaryKey(),
  authorId: integer()
    .notNull()
    .references(() => authors.id),
})
const pairs = pgTable('pairs', { a: integer(), b: text() }, (table) => [
  primaryKey({ columns: [table.a, table.b] }),
])
declare const db: NodePgDatabase<{ authors: typeof authors }>

describe('bulkCreateInSteps', () => {
  it('gives the rows of the table, or what is asked for', () => {
    expectTypeOf(bulkCreateInSteps(db, authors, [{ name: 'a' }])).resolves.toEqualTypeOf<
      { id: number; name: string; at: Date }[]
    >()
    expectTypeOf(bulkCreateInSteps(db, authors, [], { returning: 'ids' })).resolves.toEqualTypeOf<number[]>()
    expectTypeOf(bulkCreateInSteps(db, pairs, [], { returning: 'ids' })).resolves.toEqualTypeOf<
      (readonly unknown[])[]
    >()
    expectTypeOf(
      bulkCreateInSteps(db, authors, [], { returning: 'none' }),
    ).resolves.toEqualTypeOf<BulkCounts>()
  })

  it('takes transactions, and no other values', () => {
    const sqlite = drizzle(':memory:')
    sqlite.transaction((tx) => void bulkCreateInSteps(tx, pairs, []))
    void db.transaction((tx) => bulkCreateInSteps(tx, authors, []))
    // @ts-expect-error no database
    void bulkCreateInSteps('db', authors, [])
  })

  it('refuses rows and options that do not fit', () => {
    // @ts-expect-error a column is missing
    void bulkCreateInSteps(db, authors, [{}])
    // @ts-expect-error a column has another type
    void bulkCreateInSteps(db, authors, [{ name: 1 }])
    // @ts-expect-error no such option
    void bulkCreateInSteps(db, authors, [], { steps: 1 })
    // @ts-expect-error no such column
    void bulkCreateInSteps(db, authors, [], { onConflict: { target: 'nam' } })
  })
})

describe('bulkCreateBulksInSteps', () => {
  it('gives the rows of each table', async () => {
    const writer = { name: 'a' }
    const made = await bulkCreateBulksInSteps(db, [
      [books, [{ authorId: ref(writer) }]],
      [authors, [writer]],
    ])
    expectTypeOf(made.get(books)).toEqualTypeOf<{ id: number; authorId: number }[]>()
    expectTypeOf(made.get(authors)[0]?.at).toEqualTypeOf<Date | undefined>()
    // @ts-expect-error not one of these tables
    made.get(pairs)
    // @ts-expect-error a column is missing
    void bulkCreateBulksInSteps(db, [[authors, [{}]]])
  })
})
