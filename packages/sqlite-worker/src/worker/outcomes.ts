import {
  doubles,
  Outcome,
  type FailurePayload,
  type Numbers,
  type ReplyMessage,
  type WritePayload,
} from '../protocol.ts'
import type { ReadResult } from './reads.ts'

/** What became of one operation, unless it was a plain write. */
type Detailed =
  | { readonly kind: typeof Outcome.rows; readonly result: ReadResult }
  | { readonly kind: typeof Outcome.failure; readonly failure: FailurePayload }
  | { readonly kind: typeof Outcome.write; readonly write: DetailedWrite }
  | { readonly kind: typeof Outcome.value; readonly value: unknown }

export interface DetailedWrite extends Omit<WritePayload, 'returned'> {
  readonly returned: ReadResult | undefined
}

/** Collects what became of each operation of a batch, in order. */
export class Outcomes {
  readonly #writes: Numbers
  readonly #others: (readonly [index: number, detailed: Detailed])[] = []
  #groups: number[] = []
  #times: number[] = []
  #sent = 0

  constructor(count: number) {
    this.#writes = doubles(2 * count)
  }

  /** How many operations were answered. */
  get sent(): number {
    return this.#sent
  }

  write(index: number, changes: number, lastInsertRowid: number): void {
    this.#writes[2 * index] = changes
    this.#writes[2 * index + 1] = lastInsertRowid
  }

  detailedWrite(index: number, write: DetailedWrite): void {
    this.#note(index, { kind: Outcome.write, write })
  }

  rows(index: number, result: ReadResult): void {
    this.#note(index, { kind: Outcome.rows, result })
  }

  value(index: number, value: unknown): void {
    this.#note(index, { kind: Outcome.value, value })
  }

  failure(index: number, failure: FailurePayload): void {
    this.#note(index, { kind: Outcome.failure, failure })
  }

  /** Of the operation that came last. */
  failureOf(index: number): FailurePayload | undefined {
    const last = this.#others.at(-1)
    return last?.[0] === index && last[1].kind === Outcome.failure ? last[1].failure : undefined
  }

  /** Forgets what became of the operations from an index on: they are undone, and run again. */
  undo(from: number): void {
    while ((this.#others.at(-1)?.[0] ?? -1) >= from) this.#others.pop()
  }

  group(size: number): void {
    this.#groups.push(size)
  }

  time(index: number, ms: number): void {
    this.#times.push(index, ms)
  }

  /** The answer to the operations before `to` that were not answered yet. */
  reply(to: number, isLast: boolean): ReplyMessage {
    const from = this.#sent
    const others: unknown[] = []
    for (const [index, detailed] of this.#others.splice(0)) encode(others, index, detailed)
    const message: ReplyMessage = {
      type: 'reply',
      isLast,
      count: to - from,
      writes: from === 0 && isLast ? this.#writes : this.#writes.slice(2 * from, 2 * to),
      others,
      groups: this.#groups,
      times: this.#times,
    }
    this.#groups = []
    this.#times = []
    this.#sent = to
    return message
  }

  #note(index: number, detailed: Detailed): void {
    this.#others.push([index, detailed])
  }
}

function encode(into: unknown[], index: number, detailed: Detailed): void {
  into.push(index, detailed.kind)
  switch (detailed.kind) {
    case Outcome.rows:
      encodeRows(into, detailed.result)
      break
    case Outcome.write: {
      const { changes, lastInsertRowid, returned } = detailed.write
      into.push(changes, lastInsertRowid)
      if (returned) encodeRows(into, returned)
      else into.push(null, -1)
      break
    }
    case Outcome.failure:
      into.push(detailed.failure)
      break
    case Outcome.value:
      into.push(detailed.value)
  }
}

function encodeRows(into: unknown[], { prepared, columns, rows }: ReadResult): void {
  into.push(prepared.columnsToSend(columns), rows.count)
  const { values } = rows
  for (let i = 0; i < values.length; i++) into.push(values[i])
}
