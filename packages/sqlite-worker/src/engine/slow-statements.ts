import type { ReplyMessage } from '../protocol.ts'
import { KnownTexts } from './known-texts.ts'
import type { SentBatch } from './results.ts'

/** Statements that took longer than this go alone the next time, so that others do not wait for them. */
const SLOW_MS = 20

/** Remembers which statements took long when they ran last. */
export class SlowStatements {
  readonly #known = new KnownTexts<true>()

  has(what: string | number): boolean {
    return typeof what === 'string' && this.#known.get(what) === true
  }

  learn({ times }: ReplyMessage, { operations }: SentBatch): void {
    for (let i = 0; i < times.length; i += 2) {
      const sql = operations[times[i] as number]?.sql
      if (sql === undefined) continue
      if ((times[i + 1] as number) < SLOW_MS) this.#known.delete(sql)
      else this.#known.set(sql, true)
    }
  }
}
