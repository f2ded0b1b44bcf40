import { fromFailure } from '../errors.ts'
import {
  Outcome,
  type FailurePayload,
  type ReplyMessage,
  type RowsPayload,
  type StoredValue,
  type WritePayload,
} from '../protocol.ts'
import { fulfil } from '../token.ts'
import type { Lane } from './lane.ts'
import type { Operation } from './operation.ts'

/** A value as it is read from SQLite. Integers beyond 2^53 - 1 are refused instead of losing digits. */
export type ReadValue = null | number | string | Uint8Array

/** A row as read: column name to value. */
export type Row = Record<string, ReadValue>

/** What a write did. */
export interface WriteResult {
  /** Rows inserted, updated or deleted by the statement itself, without those of triggers and cascades. */
  readonly changes: number
  /**
   * Rowid of the last row inserted; 0 for a statement that is no INSERT or changed nothing. Means nothing for a table
   * WITHOUT ROWID and for an upsert that updated. A bigint only beyond 2^53 - 1.
   */
  readonly lastInsertRowid: number | bigint
  /** Rows of a RETURNING clause; absent without one. */
  readonly rows?: Row[]
}

/** Settles the operations of a batch in order. */
export function deliver(
  lane: Lane,
  operations: readonly Operation[],
  { writes, others }: ReplyMessage,
): void {
  const detailed = new Map<number, number>()
  for (let at = 0; at < others.length; at += 3) detailed.set(others[at] as number, at)
  for (const [index, operation] of operations.entries()) {
    const at = detailed.get(index)
    if (at === undefined) {
      fulfil(operation.token, { changes: writes[2 * index], lastInsertRowid: writes[2 * index + 1] })
      lane.settled()
    } else if (others[at + 1] === Outcome.failure) {
      const sql = typeof operation.what === 'string' ? operation.what : undefined
      lane.rejectOperation(operation, fromFailure(others[at + 2] as FailurePayload, sql))
    } else {
      const payload = others[at + 2] as RowsPayload | WritePayload
      fulfil(operation.token, 'rows' in payload ? toRows(payload) : toWriteResult(payload))
      lane.settled()
    }
  }
}

function toWriteResult({ changes, lastInsertRowid, returned }: WritePayload): WriteResult {
  return returned ? { changes, lastInsertRowid, rows: toRows(returned) } : { changes, lastInsertRowid }
}

function toRows({ columns, rows }: RowsPayload): Row[] {
  // only fromEntries makes an own property of a column called __proto__
  if (columns.includes('__proto__')) {
    return rows.map((values) => Object.fromEntries(columns.map((name, i) => [name, values[i]])) as Row)
  }
  return rows.map((values) => toRow(columns, values))
}

function toRow(columns: readonly string[], values: readonly StoredValue[]): Row {
  const row: Row = {}
  for (let i = 0; i < columns.length; i++) row[columns[i] as string] = values[i] as ReadValue
  return row
}
