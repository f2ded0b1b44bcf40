import type { Table } from 'drizzle-orm'
import { driverOf, type BulkDatabase } from '../drizzle/databases.ts'
import { InvalidOptionError } from '../errors.ts'
import type { BulkCounts, Executor, Row } from '../executor.ts'
import {
  resolveBulksOptions,
  resolveOnConflict,
  type BulkCreateBulksOptions,
  type ResolvedOnConflict,
  type Returning,
} from '../options.ts'
import type { Steps } from '../steps.ts'
import type { TableMeta } from '../table-meta.ts'
import { topologicalSortModels } from '../topological-sort-models.ts'
import { collect, isAsync, type Chunk, type Source } from './chunks.ts'
import { createTable } from './create-table.ts'
import { References } from './references.ts'
import { present, wantedColumns, type Returned, type RowInput } from './results.ts'
import { metaFor, run } from './run.ts'

/** Tables with the rows to create in each, in any order. */
export type BulkEntries<TTables extends readonly Table[]> =
  | { readonly [I in keyof TTables]: readonly [table: TTables[I], rows: Source<RowInput<TTables[I]>>] }
  | ReadonlyMap<TTables[number], Source<object>>

/** What `bulkCreateBulksInSteps` wrote. */
export interface CreatedBulks<T extends Table, R extends Returning = 'rows'> {
  /** By SQL name of the table, how many rows were created, updated and left alone. */
  readonly counts: ReadonlyMap<string, BulkCounts>
  /** A table's rows, or keys, in the order they were given; empty with `returning: 'none'`. */
  get<U extends T>(table: U): Returned<U, R>[]
}

/**
 * Creates rows of several tables, parents before children, all or nothing. A `ref(row)` in a foreign key column
 * stands for the key of another given row, which is filled in once that is created.
 *
 * When all is written, the given row objects get their primary keys. With `atomic: false` they get them chunk by
 * chunk, and with `returning: 'none'` only those of tables that others refer to.
 * @param entries pairs of a table and its rows, or a Map; rows of a table that is named twice are put together
 * @throws {CycleError} when the tables refer to each other in a circle of foreign keys that cannot be null
 * @throws {BulkError | AtomicityError | UnresolvedRefError | InvalidOptionError} as `bulkCreateInSteps`
 * @example
 * const writer = { name: 'Ada' }
 * const made = await bulkCreateBulksInSteps(db, [
 *   [books, [{ title: 'Notes', authorId: ref(writer) }]],
 *   [authors, [writer]],
 * ])
 * made.get(books) // [{ id: 1, title: 'Notes', authorId: 1 }]
 */
export async function bulkCreateBulksInSteps<
  const TTables extends readonly Table[],
  R extends Returning = 'rows',
>(
  db: BulkDatabase,
  entries: BulkEntries<TTables>,
  options: BulkCreateBulksOptions<R> = {},
): Promise<CreatedBulks<TTables[number], R>> {
  const driver = driverOf(db)
  const resolved = resolveBulksOptions(options)
  const bulks = new Map<Table, Row[]>()
  for (const [table, rows] of entries as Iterable<readonly [Table, Source<Row>]>) {
    const more = isAsync(rows) ? await collect(rows) : [...rows]
    bulks.set(table, [...(bulks.get(table) ?? []), ...more])
  }
  const conflicts = conflictsOf(options, (table) => metaFor(driver, table))
  const references = new References()
  for (const [table, rows] of bulks) references.add(metaFor(driver, table), rows)

  const results = new Map<Table, unknown[]>()
  const counts = new Map<string, BulkCounts>()
  const keyed: { given: Row; written: Row; table: TableMeta }[] = []
  const createAll = function* (executor: Executor): Steps<void> {
    for (const table of topologicalSortModels(bulks.keys())) {
      const meta = metaFor(driver, table)
      const wanted = references.wantedOf(meta, wantedColumns(meta, resolved.returning))
      const made: unknown[] = []
      const onWritten = (chunk: Chunk, written: readonly Row[]) => {
        references.keep(chunk, written)
        for (const [at, row] of written.entries()) {
          const given = chunk.rows[at]
          if (given) keyed.push({ given, written: row, table: meta })
          if (resolved.returning !== 'none') {
            made[chunk.indexes[at] ?? at] = present(meta, resolved.returning, row)
          }
        }
        if (!resolved.atomic) giveKeys(keyed.splice(0))
      }
      const onConflict = conflicts.get(table) ?? 'error'
      const source = bulks.get(table) ?? []
      const job = { table: meta, source, onConflict, wanted, references, options: resolved, onWritten }
      counts.set(meta.name, yield* createTable(executor, job))
      results.set(table, made)
    }
  }
  await run(driver, resolved.atomic, createAll)
  giveKeys(keyed)
  return {
    counts,
    get: (table) => (results.get(table) ?? []) as Returned<typeof table, R>[],
  }
}

function conflictsOf(
  { onConflict = [] }: BulkCreateBulksOptions,
  metaOf: (table: Table) => TableMeta,
): Map<Table, ResolvedOnConflict> {
  const conflicts = new Map<Table, ResolvedOnConflict>()
  for (const [table, each] of onConflict) {
    const resolved = resolveOnConflict(each, metaOf(table))
    if (resolved === 'ignore') {
      throw new InvalidOptionError(
        "Expected onConflict to be 'error' or { target, update }; update: [] skips rows",
      )
    }
    conflicts.set(table, resolved)
  }
  return conflicts
}

function giveKeys(keyed: readonly { given: Row; written: Row; table: TableMeta }[]): void {
  for (const { given, written, table } of keyed) {
    for (const { key } of table.primaryKey) given[key] = written[key]
  }
}
