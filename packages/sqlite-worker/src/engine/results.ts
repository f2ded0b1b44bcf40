import { fromFailure } from '../errors.ts'
import {
  Outcome,
  type ChunkMessage,
  type FailurePayload,
  type Numbers,
  type ReplyMessage,
  type RowsPayload,
  type WritePayload,
} from '../protocol.ts'
import type { BatchStep, Operation, Settle } from './operation.ts'
import { RowShape, type Row, type RowArray, type RowMode } from './row-shape.ts'

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

/** The same with `rowMode: 'array'`. */
export interface WriteResultArray extends Omit<WriteResult, 'rows'> {
  readonly rows?: RowArray[]
}

/** Operations that were sent in one message, and what they were called there. */
export interface SentBatch {
  readonly operations: readonly Operation[]
  /** Pairs as in the message; the first is the statement's id. */
  readonly codes: Numbers
  /** How many were answered. */
  answered: number
}

/** Reads outcomes off the messages of one thread, and knows the columns of its statements. */
export class Results {
  readonly #settle: Settle
  readonly #shapes = new Map<number, RowShape>()

  constructor(settle: Settle) {
    this.#settle = settle
  }

  /** Settles the next operations of a batch, in order. */
  deliver(batch: SentBatch, { count, writes, others }: ReplyMessage): void {
    const from = batch.answered
    batch.answered += count
    const reader = new OutcomeReader(others, this.#shapes)
    for (let i = from; i < from + count; i++) {
      const operation = batch.operations[i] as Operation
      if (reader.nextIndex !== i) {
        const at = 2 * (i - from)
        this.#settle.fulfilled(operation, { changes: writes[at], lastInsertRowid: writes[at + 1] })
        continue
      }
      const outcome = reader.next(operation, batch.codes[2 * i] as number)
      if (outcome.failure)
        this.#settle.failed(operation, fromFailure(outcome.failure, sqlOf(operation, outcome.failure.step)))
      else this.#settle.fulfilled(operation, outcome.value)
    }
  }

  /** Takes rows that come ahead of their outcome. */
  chunk({ operations, codes }: SentBatch, { index, columns, count, values }: ChunkMessage): void {
    const operation = operations[index] as Operation
    const shape = shapeOf(this.#shapes, codes[2 * index] as number, columns)
    if (operation.isSettled) return
    const rows = operation.sink ? [] : (operation.rows ??= [])
    shape.append(rows, values, 0, count, operation.rowMode)
    operation.sink?.rows(rows, true)
  }

  forget(ids: readonly number[]): void {
    for (const id of ids) this.#shapes.delete(id)
  }
}

/** The text of what failed: of an operation, or of one of its steps. */
function sqlOf({ sql, payload }: Operation, step: number | undefined): string | undefined {
  return step === undefined ? sql : (payload as readonly BatchStep[])[step]?.sql
}

interface Decoded {
  readonly failure?: FailurePayload
  readonly value?: unknown
}

/** Walks through the sparse part of a reply. */
class OutcomeReader {
  readonly #flat: readonly unknown[]
  readonly #shapes: Map<number, RowShape>
  #at = 0

  constructor(flat: readonly unknown[], shapes: Map<number, RowShape>) {
    this.#flat = flat
    this.#shapes = shapes
  }

  /** The operation that the next outcome is of; undefined when there is none. */
  get nextIndex(): unknown {
    return this.#flat[this.#at]
  }

  next(operation: Operation, id: number): Decoded {
    this.#at += 1
    switch (this.#take()) {
      case Outcome.rows:
        return { value: this.#rows(operation, id) }
      case Outcome.write:
        return { value: this.#write(operation, id) }
      case Outcome.failure:
        return { failure: this.#take() as FailurePayload }
      default:
        return { value: valueOf(this.#take(), operation) }
    }
  }

  #take(): unknown {
    return this.#flat[this.#at++]
  }

  #rows(operation: Operation, id: number): unknown[] {
    const columns = this.#take() as readonly string[] | null
    const count = this.#take() as number
    const rows = operation.rows ?? []
    this.#at = shapeOf(this.#shapes, id, columns).append(rows, this.#flat, this.#at, count, operation.rowMode)
    if (!operation.sink) return rows
    operation.sink.rows(rows, false)
    return []
  }

  #write(operation: Operation, id: number): WriteResult | WriteResultArray {
    const result = { changes: this.#take() as number, lastInsertRowid: this.#take() as number | bigint }
    if (this.#flat[this.#at + 1] !== -1) return { ...result, rows: this.#rows(operation, id) as Row[] }
    this.#at += 2
    return result
  }
}

function shapeOf(shapes: Map<number, RowShape>, id: number, columns: readonly string[] | null): RowShape {
  const known = shapes.get(id)
  if (!columns && known) return known
  const shape = new RowShape(columns ?? [])
  shapes.set(id, shape)
  return shape
}

/** What a procedure returned, as it is; the outcomes of a batch, each as it would be alone. */
function valueOf(value: unknown, { payload }: Operation): unknown {
  if (!(typeof value === 'object' && value !== null && 'batch' in value))
    return (value as { value?: unknown }).value
  const steps = payload as readonly BatchStep[]
  return (value.batch as BatchOutcome[]).map((outcome, index) => {
    const mode = steps[index]?.rowMode ?? 'object'
    if (outcome.kind === Outcome.rows) return rowsOf(outcome, mode)
    const { changes, lastInsertRowid, returned } = outcome
    return returned
      ? { changes, lastInsertRowid, rows: rowsOf(returned, mode) }
      : { changes, lastInsertRowid }
  })
}

type BatchOutcome =
  | (RowsPayload & { readonly kind: typeof Outcome.rows })
  | (WritePayload & { readonly kind: typeof Outcome.write })

function rowsOf({ columns, count, values }: RowsPayload, mode: RowMode): unknown[] {
  const rows: unknown[] = []
  new RowShape(columns ?? []).append(rows, values, 0, count, mode)
  return rows
}
