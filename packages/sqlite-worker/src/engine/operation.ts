import { type Control, type StoredValue, type WireParams } from '../protocol.ts'
import type { Token } from '../token.ts'
import { sizeOf } from '../values.ts'

/** One statement, or one step of a transaction, on its way through the queue. */
export interface Operation {
  /** The statement's text, or the control code of a step that begins or ends a transaction. */
  readonly what: string | Control
  readonly params: WireParams
  /** Rough size of the parameters on their way to the thread. */
  readonly bytes: number
  readonly token: Token<unknown>
}

/** Sums up what the parameters of one operation weigh. */
export function bytesOf(params: WireParams): number {
  if (params === undefined) return 0
  let bytes = 0
  for (const value of Object.values<StoredValue | StoredValue[]>(params)) {
    bytes += Array.isArray(value) ? bytesOf(value) : sizeOf(value)
  }
  return bytes
}
