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

/** Collects what became of each operation of a batch. A later outcome of the same operation replaces the earlier. */
export class Outcomes {
  readonly #writes: Numbers
  readonly #others = new Map<number, Detailed>()
  #groups: number[] = []
  #times: number[] = []
  #sent = 0
  /** The operation whose outcome came last, and whether none came after one of a later operation. */
  #latest = -1
  #isInOrder = true

  constructor(count: number) {
    this.#writes = doubles(2 * count)
  }

  /** How many operations were answered. */
  get sent(): number {
    return this.#sent
  }

  write(index: number, changes: number, lastInsertRowid: number): void {
    if (this.#others.size > 0) this.#others.delete(index)
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

  failureOf(index: number): FailurePayload | undefined {
    const detailed = this.#others.get(index)
    return detailed?.kind === Outcome.failure ? detailed.failure : undefined
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
    for (const [index, detailed] of this.#ordered()) encode(others, index, detailed)
    this.#others.clear()
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
    if (index < this.#latest) this.#isInOrder = false
    this.#latest = index
    this.#others.set(index, detailed)
  }

  /** By operation: one that was run again may have come to another kind of outcome after those behind it. */
  #ordered(): Iterable<[number, Detailed]> {
    return this.#isInOrder ? this.#others : [...this.#others].toSorted(([a], [b]) => a - b)
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
