import type { StoredValue } from '../protocol.ts'
import { WorkerFailure } from './failure.ts'

function outOfRange(column: string): WorkerFailure {
  return new WorkerFailure(
    'integer-range',
    `Column ${JSON.stringify(column)} holds an integer beyond 2^53 - 1, which a JavaScript number cannot hold; ` +
      "read it with int64: 'bigint', or as text: CAST(column AS TEXT)",
  )
}

/** Whether a number may be a 64-bit integer that lost digits on its way into a JavaScript number. */
export function mayBeInexact(value: number): boolean {
  return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER
}

/**
 * Turns the bigints of a row read with safe integers into numbers, in place.
 * @throws {WorkerFailure} naming the column when one does not fit.
 */
export function narrowIntegers(row: StoredValue[], columns: readonly string[]): void {
  for (let i = 0; i < row.length; i++) {
    const value = row[i]
    if (typeof value !== 'bigint') continue
    const narrowed = Number(value)
    if (!Number.isSafeInteger(narrowed)) throw outOfRange(columns[i] ?? String(i))
    row[i] = narrowed
  }
}
