// What a user writes, from ES modules and from CommonJS, against the installed package.
import assert from 'node:assert/strict'
import {
  bulkCreateBulksInSteps,
  bulkCreateInSteps,
  getModelMeta,
  isBulkOpsError,
  ref,
  topologicalSortModels,
  type BulkCounts,
} from '@outrider/bulk-ops'
import { integer, pgTable, serial, text } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pg-proxy'

const authors = pgTable('authors', { id: serial().primaryKey(), name: text().notNull() })
const books = pgTable('books', {
  id: serial().primaryKey(),
  authorId: integer()
    .notNull()
    .references(() => authors.id),
})

async function main(): Promise<void> {
  assert.deepEqual(topologicalSortModels([books, authors]), [authors, books])
  assert.equal(getModelMeta(books).foreignKeys[0]?.onDelete, 'no action')

  const sent: string[] = []
  const db = drizzle(async (sql) => {
    sent.push(sql.slice(0, 22))
    return { rows: sql.includes('returning') ? [[7]] : [] }
  })
  const counts: BulkCounts = await bulkCreateInSteps(db, authors, [{ name: 'Ada' }], {
    returning: 'none',
    atomic: false,
  })
  assert.deepEqual(counts, { created: 1, updated: 0, unchanged: 0 })
  const writer = { name: 'Grace' }
  const made = await bulkCreateBulksInSteps(
    db,
    [
      [books, [{ authorId: ref(writer) }]],
      [authors, [writer]],
    ],
    { atomic: false, returning: 'ids' },
  )
  assert.deepEqual(made.get(books), [7])
  assert.deepEqual(writer, { name: 'Grace', id: 7 })
  assert.deepEqual(sent, ['insert into "authors" ', 'insert into "authors" ', 'insert into "books" ("'])
  await assert.rejects(bulkCreateInSteps(db, authors, []), isBulkOpsError)
}

void main()
