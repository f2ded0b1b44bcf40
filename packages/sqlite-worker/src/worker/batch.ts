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
  readonly #params: unknown[] = []

  constructor({ operations, values, leased, streamed, timed }: BatchMessage) {
    this.count = operations.length / 2
    this.leased = leased
    this.streamed = streamed
    this.timed = timed
    this.outcomes = new Outcomes(this.count)
    this.#codes = operations
    let at = 0
    for (let i = 1; i < operations.length; i += 2) {
      const shape = operations[i] as number
      if (shape >= 0) this.#params.push(shape === 0 ? undefined : values.slice(at, (at += shape)))
      else this.#params.push(values[at++])
    }
  }

  /** The statement's id, or a control code. */
  code(index: number): number {
    return this.#codes[2 * index] as number
  }

  hasManySets(index: number): boolean {
    return this.#codes[2 * index + 1] === Shape.sets
  }

  params(index: number): WireParams {
    return this.#params[index] as WireParams
  }

  payload(index: number): unknown {
    return this.#params[index]
  }
}
