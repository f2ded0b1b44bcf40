import { availableParallelism } from 'node:os'

/** How often it is looked at, and how often its threads may have been made to wait meanwhile. */
const SAMPLE_MS = 10
const MAX_SWITCHES = 2
/** For how long threads sleep then instead of looking for messages: the longer, the sooner it happened again. */
const MIN_REST_MS = 100
const MAX_REST_MS = 3200

/**
 * Tells whether it pays to look for messages where a thread could sleep. On a single core it only keeps the other thread
 * from running, and so it does where other threads and processes want the cores. That shows in how often the system took a
 * core away from a thread of this process: next to never, or all the time.
 */
export class Contention {
  readonly #hasCores: boolean
  readonly #countSwitches: () => number
  #sampledAt = -Infinity
  #switches = 0
  #restUntil = -Infinity
  #restMs = MIN_REST_MS

  constructor(
    hasCores: boolean = availableParallelism() > 1,
    countSwitches: () => number = () => process.resourceUsage().involuntaryContextSwitches,
  ) {
    this.#hasCores = hasCores
    this.#countSwitches = countSwitches
  }

  /** To be asked whenever there is something to look for. `now` is that of performance.now(). */
  allowsLooking(now: number): boolean {
    if (!this.#hasCores || now < this.#restUntil) return false
    const elapsedMs = now - this.#sampledAt
    if (elapsedMs < SAMPLE_MS) return true
    const before = this.#switches
    this.#switches = this.#countSwitches()
    this.#sampledAt = now
    const isOften = this.#switches - before > (MAX_SWITCHES * elapsedMs) / SAMPLE_MS
    if (isOften) this.#rest(now)
    return !isOften
  }

  #rest(now: number): void {
    const isAgain = now - this.#restUntil < this.#restMs
    this.#restMs = isAgain ? Math.min(2 * this.#restMs, MAX_REST_MS) : MIN_REST_MS
    this.#restUntil = now + this.#restMs
    this.#sampledAt = -Infinity // what happens while nobody looks says nothing
  }
}

/** Of this process. */
export const contention: Contention = new Contention()
