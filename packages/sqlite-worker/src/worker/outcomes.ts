import {
  Outcome,
  type FailurePayload,
  type ReplyMessage,
  type RowsPayload,
  type WritePayload,
} from '../protocol.ts'

/** Collects what became of each operation of a batch. A later outcome of the same operation replaces the earlier. */
export class Outcomes {
  readonly #writes: Float64Array
  readonly #others = new Map<number, [number, RowsPayload | FailurePayload | WritePayload]>()

  constructor(count: number) {
    this.#writes = new Float64Array(2 * count)
  }

  write(index: number, changes: number, lastInsertRowid: number): void {
    if (this.#others.size > 0) this.#others.delete(index)
    this.#writes[2 * index] = changes
    this.#writes[2 * index + 1] = lastInsertRowid
  }

  detailedWrite(index: number, payload: WritePayload): void {
    this.#others.set(index, [Outcome.write, payload])
  }

  rows(index: number, payload: RowsPayload): void {
    this.#others.set(index, [Outcome.rows, payload])
  }

  failure(index: number, payload: FailurePayload): void {
    this.#others.set(index, [Outcome.failure, payload])
  }

  failureOf(index: number): FailurePayload | undefined {
    const entry = this.#others.get(index)
    return entry?.[0] === Outcome.failure ? (entry[1] as FailurePayload) : undefined
  }

  reply(): ReplyMessage {
    const others: ReplyMessage['others'] = []
    for (const [index, [outcome, payload]] of this.#others) others.push(index, outcome, payload)
    return { type: 'reply', writes: this.#writes, others }
  }
}
