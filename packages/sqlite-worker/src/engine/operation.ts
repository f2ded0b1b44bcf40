import { types } from 'node:util'
import type { HookEvent } from '../hooks.ts'
import type { Control, Int64Mode, StoredValue, WireParams } from '../protocol.ts'
import type { Token } from '../token.ts'
import { sizeOf } from '../values.ts'
import type { RowMode } from './row-shape.ts'

/** Takes the rows of a stream as they arrive. */
export interface RowSink {
  /** `isAhead` for a chunk that came before the outcome: the thread waits until enough of those were taken. */
  rows(rows: unknown[], isAhead: boolean): void
}

/** One statement of `batch()`. */
export interface BatchStep {
  readonly sql: string
  readonly params: WireParams
  readonly rowMode: RowMode | undefined
  readonly int64: Int64Mode | undefined
}

/** What an operation is to do. */
export interface OperationInit {
  /** The statement's text, or the control code of anything else. */
  readonly what: string | Control
  readonly params?: WireParams
  /** Of a control code: a script's text, the call of a procedure, the steps of a batch. */
  readonly payload?: unknown
  readonly rowMode?: RowMode | undefined
  readonly int64?: Int64Mode | undefined
  /** The table that it was asked to change, where it is known. */
  readonly table?: string
}

/** Where an operation waits with those before and behind it. */
export interface Line {
  /** What hooks are told of once it is committed. */
  readonly events: HookEvent[]
  /** To be called for each operation when its outcome is known. */
  settled(): void
  /** Keeps a failure that may go unseen. */
  note(failedToken: Token<unknown>): void
}

/** One operation on its way through the queue. Made for every call, so its fields are always the same. */
export class Operation {
  readonly what: string | Control
  readonly params: WireParams
  readonly payload: unknown
  readonly rowMode: RowMode
  readonly int64: Int64Mode | undefined
  readonly table: string | undefined
  readonly token: Token<unknown>
  /** The line it waits in; undefined for one that a reader runs. */
  lane: Line | undefined
  /** Rough size of what it brings to the thread, without the statement's text. */
  readonly bytes: number
  /** When it was queued, by performance.now(); 0 for a step of a transaction and for a stream, which are not counted. */
  readonly queuedAt: number
  /** Whether its token has its outcome; it may still be under way. */
  isSettled = false
  isSent = false
  /** Rows that came ahead of the outcome. */
  rows: unknown[] | undefined
  sink: RowSink | undefined
  /** Undoes what waits for its signal. */
  release: (() => void) | undefined

  constructor(init: OperationInit, token: Token<unknown>, lane: Line | undefined, queuedAt: number) {
    this.what = init.what
    this.params = init.params
    this.payload = init.payload
    this.rowMode = init.rowMode ?? 'object'
    this.int64 = init.int64
    this.table = init.table
    this.token = token
    this.lane = lane
    this.bytes = bytesOf(init.params) + (init.payload === undefined ? 0 : payloadBytes(init.payload))
    this.queuedAt = queuedAt
  }

  /** Whether it was queued by a call, and counts as such. */
  get isCall(): boolean {
    return this.queuedAt > 0
  }

  /** The statement's text, where it is one. */
  get sql(): string | undefined {
    return typeof this.what === 'string' ? this.what : undefined
  }
}

/** Takes the outcome of each operation. */
export interface Settle {
  fulfilled(operation: Operation, value: unknown): void
  failed(operation: Operation, error: Error): void
}

/** Sums up what the parameters of one operation weigh. */
function bytesOf(params: WireParams): number {
  if (params === undefined) return 0
  let bytes = 0
  if (Array.isArray(params)) {
    for (const value of params) bytes += Array.isArray(value) ? bytesOf(value) : sizeOf(value)
  } else for (const value of Object.values<StoredValue>(params)) bytes += sizeOf(value)
  return bytes
}

function payloadBytes(payload: unknown): number {
  if (typeof payload === 'string') return payload.length
  if (!Array.isArray(payload)) return cloneBytes(payload)
  return (payload as BatchStep[]).reduce((sum, { sql, params }) => sum + sql.length + bytesOf(params), 0)
}

/** Sums up what a value weighs that can be cloned, as the arguments of a procedure can. */
function cloneBytes(payload: unknown): number {
  const seen = new Set<unknown>()
  const rest = [payload]
  let bytes = 0
  while (rest.length > 0) {
    const value = rest.pop()
    bytes += typeof value === 'string' ? value.length : 8
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    if (ArrayBuffer.isView(value) || types.isArrayBuffer(value)) bytes += value.byteLength
    else if (types.isMap(value)) for (const entry of value) rest.push(...entry)
    else if (types.isSet(value)) for (const item of value) rest.push(item)
    else for (const item of Object.values(value)) rest.push(item)
  }
  return bytes
}
