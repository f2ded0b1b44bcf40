import type { StoredValue } from '../protocol.ts'
import { mayBeInexact } from './integers.ts'

/** A message carries at most about this much of a result, so that the receiver is never busy with one for long. */
const MAX_ROWS = 500
const MAX_BYTES = 2 ** 18

/** Rows laid out one after another, which crosses between threads much faster than a list of lists. */
export class FlatRows {
  readonly values: StoredValue[] = []
  count = 0
  #bytes = 0
  /** Whether a number among them may be an integer that lost digits. */
  isInexact = false

  add(row: readonly StoredValue[]): void {
    for (let i = 0; i < row.length; i++) {
      const value = row[i] as StoredValue
      if (typeof value === 'number') {
        if (mayBeInexact(value)) this.isInexact = true
      } else if (typeof value === 'string') this.#bytes += value.length
      else if (value instanceof Uint8Array) this.#bytes += value.byteLength
      this.values.push(value)
    }
    this.count += 1
  }

  get isFull(): boolean {
    return this.count >= MAX_ROWS || this.#bytes >= MAX_BYTES
  }
}
