import { getStepChunks, type BulkCounts } from '@outrider/bulk-ops'
import { getTableColumns, getTableName, inArray } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import type { AuditLog, Change } from './audit-log.ts'
import type { Database } from './database.ts'

/** What the callback of {@link auditedTransaction} writes with. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]

/** Rows that a transaction may have changed: those whose `column` has one of `values`. */
export interface Touched {
  readonly table: PgTable & { readonly id: PgColumn }
  readonly column: PgColumn
  readonly values: readonly number[]
  /** What is known of them already, which spares reading. */
  readonly counts?: BulkCounts | undefined
}

export interface AuditedOptions {
  readonly db: Database
  readonly audit: AuditLog
  /** Who does it: `system`, the name of a command, or a user. */
  readonly actor: string
}

/** Rows that are compared at a time. */
const STEP = 1000

/** Columns that say nothing about what somebody did. */
const unaudited = new Set(['createdAt', 'updatedAt', 'viewCount'])

/**
 * Runs a transaction and notes what it changed in the audit log once it has been committed; a rollback notes nothing.
 *
 * What it changed is what it sees of the rows that it touched, against what everybody else still sees of them. When
 * another transaction writes rows of the same `values` at that very moment, its new rows may be noted here too.
 */
export async function auditedTransaction<T>(
  { db, audit, actor }: AuditedOptions,
  work: (tx: Transaction, touch: (rows: Touched) => void) => Promise<T>,
): Promise<T> {
  let changes: Change[] = []
  const result = await db.transaction(async (tx) => {
    const touched: Touched[] = []
    changes = []
    const result = await work(tx, (rows) => touched.push(rows))
    for (const rows of touched) {
      for (const chunk of getStepChunks([...new Set(rows.values)], STEP)) {
        changes.push(...(await changesOf({ ...rows, values: chunk }, { outside: db, inside: tx })))
      }
    }
    return result
  })
  audit.record(actor, changes)
  return result
}

type StoredRow = Readonly<Record<string, unknown>> & { readonly id: number }

async function changesOf(
  { table, column, values, counts }: Touched,
  { outside, inside }: { readonly outside: Database; readonly inside: Transaction },
): Promise<Change[]> {
  if (counts && counts.created + counts.updated === 0) return []
  const columns = counts?.updated === 0 ? { id: table.id } : getTableColumns(table)
  const rowsIn = async (db: Database | Transaction): Promise<Map<number, StoredRow>> => {
    const rows = await db.select(columns).from(table).where(inArray(column, values)).orderBy(table.id)
    return new Map((rows as StoredRow[]).map((row) => [row.id, row]))
  }
  const [before, after] = [await rowsIn(outside), await rowsIn(inside)]
  const model = getTableName(table)
  const changes: Change[] = []
  for (const [objectId, row] of after) {
    const old = before.get(objectId)
    if (!old) changes.push({ model, objectId, action: 'created' })
    const diff = old && diffOf(old, row)
    if (diff) changes.push({ model, objectId, action: 'updated', diff })
  }
  for (const objectId of before.keys()) {
    if (!after.has(objectId)) changes.push({ model, objectId, action: 'deleted' })
  }
  return changes
}

/** The properties that differ; undefined when none does. */
function diffOf(from: StoredRow, to: StoredRow): Change['diff'] {
  const changed = Object.keys(to).filter(
    (key) => !unaudited.has(key) && JSON.stringify(from[key]) !== JSON.stringify(to[key]),
  )
  if (changed.length === 0) return undefined
  return Object.fromEntries(changed.map((key) => [key, { from: from[key], to: to[key] }]))
}
