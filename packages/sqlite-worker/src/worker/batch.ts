import { Shape, type BatchMessage, type Numbers, type WireParams } from '../protocol.ts'
import { Outcomes } from './outcomes.ts'

/** A message's operations, each with its own parameters, and what became of them. */
export class Batch {
  readonly count: number
  readonly leased: boolean
  readonly streamed: boolean
  readonly timed: boolean
  readonly outcomes: Outcomes
  readonly #codes: Numbers
  readonly #values: unknown[]
  /** Where the values of each operation begin. */
  readonly #starts: number[] = []

  constructor({ operations, values, leased, streamed, timed }: BatchMessage) {
    this.count = operations.length / 2
    this.leased = leased
    this.streamed = streamed
    this.timed = timed
    this.outcomes = new Outcomes(this.count)
    this.#codes = operations
    this.#values = values
    let at = 0
    for (let i = 1; i < operations.length; i += 2) {
      this.#starts.push(at)
      const shape = operations[i] as number
      at += shape < 0 ? 1 : shape
    }
    this.#starts.push(at)
  }

  /** The statement's id, or a control code. */
  code(index: number): number {
    return this.#codes[2 * index] as number
  }

  /** Whether operations [from, to) run the same statement, each with as many positional parameters. */
  areAlike(from: number, to: number): boolean {
    const code = this.code(from)
    const shape = this.#codes[2 * from + 1] as number
    if (to > this.count || code < 0 || shape < 0) return false
    for (let i = to - 1; i > from; i--)
      if (this.#codes[2 * i] !== code || this.#codes[2 * i + 1] !== shape) return false
    return true
  }

  hasManySets(index: number): boolean {
    return this.#codes[2 * index + 1] === Shape.sets
  }

  params(index: number): WireParams {
    const shape = this.#codes[2 * index + 1] as number
    if (shape < 0) return this.payload(index) as WireParams
    return shape === 0 ? undefined : (this.paramsOfAll(index, index + 1) as WireParams)
  }

  /** The positional parameters of operations [from, to), one after another. */
  paramsOfAll(from: number, to: number): unknown[] {
    return this.#values.slice(this.#starts[from], this.#starts[to])
  }

  payload(index: number): unknown {
    return this.#values[this.#starts[index] as number]
  }
}
