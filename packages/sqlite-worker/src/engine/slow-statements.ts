import type { ReplyMessage } from '../protocol.ts'
import type { SentBatch } from './results.ts'

/** Statements that took longer than this go alone the next time, so that others do not wait for them. */
const SLOW_MS = 20
const MAX_KNOWN = 100

/** Remembers which statements took long when they ran last. */
export class SlowStatements {
  readonly #known = new Set<unknown>()

  has(what: unknown): boolean {
    return this.#known.size > 0 && this.#known.has(what)
  }

  learn({ times }: ReplyMessage, { operations }: SentBatch): void {
    for (let i = 0; i < times.length; i += 2) {
      const what = operations[times[i] as number]?.what
      if ((times[i + 1] as number) < SLOW_MS) this.#known.delete(what)
      else this.#known.add(what)
    }
    if (this.#known.size > MAX_KNOWN) this.#known.clear()
  }
}
