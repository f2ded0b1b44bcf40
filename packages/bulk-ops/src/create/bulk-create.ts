import type { Table } from 'drizzle-orm'
import { driverOf, type BulkDatabase } from '../drizzle/databases.ts'
import type { Row } from '../executor.ts'
import { resolveCreateOptions, type BulkCreateOptions, type Returning } from '../options.ts'
import { collect, isAsync, type Chunk, type Source } from './chunks.ts'
import { createTable } from './create-table.ts'
import { References } from './references.ts'
import { present, wantedColumns, type BulkCreateResult, type RowInput } from './results.ts'
import { isImmediate, metaFor, run } from './run.ts'

/**
 * Creates rows in chunks, all or nothing, and gives them back in the order they were given, with keys and defaults.
 *
 * Over better-sqlite3 everything has happened when the promise is returned, so that it may be called inside
 * `db.transaction((tx) => ...)`. Inside a given transaction the call is a savepoint: when it fails, what it did is
 * undone, and what the transaction did before stays.
 * @param rows any iterable, or an async one, read chunk by chunk
 * @returns rows, keys or counts, see `returning`; with `onConflict: 'ignore'` without the skipped rows
 * @throws {BulkError} when the database refuses a row, naming the first such
 * @throws {AtomicityError} when the driver has no transactions and `atomic` is not false
 * @throws {UnresolvedRefError} when a `ref()` names a row without a key
 * @throws {InvalidOptionError} for an unknown option or a value that does not fit
 * @example
 * const made = await bulkCreateInSteps(db, authors, [{ name: 'Ada' }, { name: 'Grace' }])
 * made.map(({ id }) => id) // [1, 2]
 */
export async function bulkCreateInSteps<T extends Table, R extends Returning = 'rows'>(
  db: BulkDatabase,
  table: T,
  rows: Source<RowInput<T>>,
  options: BulkCreateOptions<T, R> = {},
): Promise<BulkCreateResult<T, R>> {
  const driver = driverOf(db)
  const meta = metaFor(driver, table)
  const resolved = resolveCreateOptions(options, meta)
  const { returning, onConflict } = resolved
  const refersToItself = meta.foreignKeys.some((key) => key.foreignTable === table)
  const references = new References()
  let source = rows as Source<Row>
  // A transaction that cannot wait needs all rows before it begins, and rows that refer to later ones need these.
  if (isAsync(source) && (refersToItself || isImmediate(driver))) source = await collect(source)
  if (refersToItself && !isAsync(source)) {
    const all = [...source]
    references.add(meta, all)
    source = all
  }
  const results: unknown[] = []
  const onWritten = (chunk: Chunk, written: readonly Row[]) => {
    // Which rows were skipped is not known, so that none of these can be referred to.
    if (onConflict !== 'ignore') references.keep(chunk, written)
    if (returning === 'none') return
    for (const [at, row] of written.entries()) {
      const index = onConflict === 'ignore' ? results.length : (chunk.indexes[at] ?? at)
      results[index] = present(meta, returning, row)
    }
  }
  const wanted = references.wantedOf(meta, wantedColumns(meta, returning))
  const job = { table: meta, source, onConflict, wanted, references, options: resolved, onWritten }
  const counts = await run(driver, resolved.atomic, (executor) => createTable(executor, job))
  return (returning === 'none' ? counts : results) as BulkCreateResult<T, R>
}
