import { getStepChunks, type BulkCounts } from '@outrider/bulk-ops'
import { getTableColumns, getTableName, inArray } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import type { Change } from './audit-log.ts'
import type { Database } from './database.ts'

/** What the callback of {@link trackedTransaction} writes with. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]

/** Rows that a transaction may have changed: those whose `column` has one of `values`. */
export interface Touched {
  readonly table: PgTable & { readonly id: PgColumn }
  readonly column: PgColumn
  readonly values: readonly number[]
  /** What is known of them already, which spares reading. */
  readonly counts?: BulkCounts | undefined
}

/** What other tables, and tags, know a row by. */
export interface KeyedRow {
  readonly id: number
  readonly bookId?: number
  readonly slug?: string
}

export interface RowChange extends Change {
  /** The row as it was, and as it is: both, or the one that there is. */
  readonly rows: readonly KeyedRow[]
}

/** Rows that are compared at a time. */
const STEP = 1000

/** Columns that say nothing about what somebody did. */
const untracked = new Set(['createdAt', 'updatedAt', 'viewCount'])

/**
 * Runs a transaction and tells what it changed, once that has been committed.
 *
 * What it changed is what it sees of the rows that it touched, against what everybody else still sees of them. When
 * another transaction writes rows of the same `values` at that very moment, its new rows may be told here too.
 */
export async function trackedTransaction<T>(
  db: Database,
  work: (tx: Transaction, touch: (rows: Touched) => void) => Promise<T>,
): Promise<{ readonly result: T; readonly changes: readonly RowChange[] }> {
  return db.transaction(async (tx) => {
    const touched: Touched[] = []
    const result = await work(tx, (rows) => touched.push(rows))
    const changes: RowChange[] = []
    for (const rows of touched) {
      for (const chunk of getStepChunks([...new Set(rows.values)], STEP)) {
        changes.push(...(await changesOf({ ...rows, values: chunk }, { outside: db, inside: tx })))
      }
    }
    return { result, changes }
  })
}

type StoredRow = Readonly<Record<string, unknown>> & KeyedRow

async function changesOf(
  { table, column, values, counts }: Touched,
  { outside, inside }: { readonly outside: Database; readonly inside: Transaction },
): Promise<RowChange[]> {
  if (counts && counts.created + counts.updated === 0) return []
  const columns = counts?.updated === 0 ? keysOf(table) : getTableColumns(table)
  const rowsIn = async (db: Database | Transaction): Promise<Map<number, StoredRow>> => {
    const rows = await db.select(columns).from(table).where(inArray(column, values)).orderBy(table.id)
    return new Map((rows as StoredRow[]).map((row) => [row.id, row]))
  }
  const [before, after] = [await rowsIn(outside), await rowsIn(inside)]
  const model = getTableName(table)
  const changes: RowChange[] = []
  for (const [objectId, row] of after) {
    const old = before.get(objectId)
    if (!old) changes.push({ model, objectId, action: 'created', rows: [row] })
    const diff = old && diffOf(old, row)
    if (diff) changes.push({ model, objectId, action: 'updated', diff, rows: [old, row] })
  }
  for (const [objectId, row] of before) {
    if (!after.has(objectId)) changes.push({ model, objectId, action: 'deleted', rows: [row] })
  }
  return changes
}

/** The columns of a {@link KeyedRow}, as far as a table has them. */
function keysOf(table: PgTable): Record<string, PgColumn> {
  const { id, bookId, slug } = getTableColumns(table)
  return { ...(id && { id }), ...(bookId && { bookId }), ...(slug && { slug }) }
}

/** The properties that differ; undefined when none does. */
function diffOf(from: StoredRow, to: StoredRow): Change['diff'] {
  const changed = Object.keys(to).filter(
    (key) => !untracked.has(key) && JSON.stringify(from[key]) !== JSON.stringify(to[key]),
  )
  if (changed.length === 0) return undefined
  return Object.fromEntries(changed.map((key) => [key, { from: from[key], to: to[key] }]))
}
