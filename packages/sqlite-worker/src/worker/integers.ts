import type { StoredValue } from '../protocol.ts'
import { WorkerFailure } from './failure.ts'

function outOfRange(column: string): WorkerFailure {
  return new WorkerFailure(
    'integer-range',
    `Column ${JSON.stringify(column)} holds an integer beyond 2^53 - 1, which a JavaScript number cannot hold; ` +
      'select it as text: CAST(column AS TEXT)',
  )
}

/** Whether a number in these rows may be a 64-bit integer that lost digits on its way into a JavaScript number. */
export function mayHoldUnsafeIntegers(rows: readonly StoredValue[][]): boolean {
  for (const row of rows) {
    for (const value of row) {
      if (typeof value === 'number' && (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER))
        return true
    }
  }
  return false
}

/**
 * Turns the bigints of rows read with safe integers into numbers, in place.
 * @throws {WorkerFailure} naming the column when one does not fit.
 */
export function narrowIntegers(rows: StoredValue[][], columns: readonly string[]): StoredValue[][] {
  for (const row of rows) {
    for (let i = 0; i < row.length; i++) {
      const value = row[i]
      if (typeof value !== 'bigint') continue
      const narrowed = Number(value)
      if (!Number.isSafeInteger(narrowed)) throw outOfRange(columns[i] ?? String(i))
      row[i] = narrowed
    }
  }
  return rows
}
