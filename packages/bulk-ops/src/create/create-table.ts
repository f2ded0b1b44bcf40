import { DrizzleQueryError } from 'drizzle-orm'
import { BulkError, BulkOpsError } from '../errors.ts'
import type { Batch, BulkCounts, Executor, Row, Written } from '../executor.ts'
import { upsertRows } from '../natural-key.ts'
import type { ResolvedOnConflict, ResolvedStepOptions } from '../options.ts'
import { step, type Steps } from '../steps.ts'
import type { ColumnMeta, TableMeta } from '../table-meta.ts'
import { chunksByLevel, eachChunk, type Chunk, type Source } from './chunks.ts'
import { locateRow } from './locate-row.ts'
import type { References } from './references.ts'

/** The rows of one table, and what is to be done with them. */
export interface TableJob {
  readonly table: TableMeta
  readonly source: Source<Row>
  readonly onConflict: ResolvedOnConflict
  readonly wanted: readonly ColumnMeta[]
  /** The rows that the rows may refer to. */
  readonly references: References
  /** Receives each chunk with its written rows, unless nothing of them is wanted. */
  readonly onWritten: (chunk: Chunk, written: readonly Row[]) => void
  readonly options: ResolvedStepOptions
}

/** Writes the rows of one table chunk by chunk, each all or nothing. */
export function* createTable(executor: Executor, job: TableJob): Steps<BulkCounts> {
  const { table, options } = job
  const counts = { created: 0, updated: 0, unchanged: 0 }
  let chunkNumber = 0
  let rows = 0
  const work = function* (chunk: Chunk): Steps<void> {
    options.signal?.throwIfAborted()
    const written = yield* writeChunk(executor, job, { chunk, chunkNumber })
    counts.created += written.counts.created
    counts.updated += written.counts.updated
    counts.unchanged += written.counts.unchanged
    rows += chunk.rows.length
    if (job.wanted.length > 0) job.onWritten(chunk, written.rows)
    options.onProgress?.({ table: table.name, chunk: chunkNumber, rows })
    chunkNumber += 1
  }
  options.signal?.throwIfAborted()
  const refersToItself = table.foreignKeys.some((key) => key.foreignTable === table.table)
  if (refersToItself && Array.isArray(job.source)) {
    for (const chunk of chunksByLevel(job.source, options.step, table)) yield* work(chunk)
  } else {
    yield* eachChunk(job.source, options.step, work)
  }
  return counts
}

function* writeChunk(
  executor: Executor,
  { table, onConflict, wanted, references, options }: TableJob,
  { chunk, chunkNumber }: { chunk: Chunk; chunkNumber: number },
): Steps<Written> {
  const rows = references.resolve(table, chunk)
  const write = (inside: Executor, count: number): Steps<Written> => {
    const batch: Batch = { table, wanted, rows: count < rows.length ? rows.slice(0, count) : rows }
    return typeof onConflict === 'string'
      ? inside.insert(batch, onConflict)
      : upsertRows(inside, batch, onConflict)
  }
  try {
    if (!executor.canTransact) return yield* write(executor, rows.length)
    return yield* step(executor.transaction((inside) => write(inside, rows.length)))
  } catch (error) {
    if (error instanceof BulkOpsError) throw error
    const failing = yield* locateRow(executor, { count: rows.length, error }, write)
    const rowIndex = failing === undefined ? undefined : chunk.indexes[failing]
    const facts = {
      table: table.name,
      chunk: chunkNumber,
      rowIndex,
      row: failing === undefined ? undefined : chunk.rows[failing],
      committedChunks: options.atomic ? 0 : chunkNumber,
    }
    throw new BulkError(facts, withoutQuery(error))
  }
}

/** The database's own error: Drizzle's message around it holds the statement with all values. */
function withoutQuery(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error
}
