/** A thread that looks at the clock without pause and finds a gap like this was not running. */
const GAP_MS = 0.5
/** For how long it does not look for messages then: the longer, the sooner it happens again. */
const MIN_REST_MS = 50
const MAX_REST_MS = 3200

/**
 * Notices that others want the processor too. To look for messages would only take it from them then, among them the
 * thread that is to send one; and who sleeps instead is let in sooner.
 */
export class Contention {
  #lastLook = 0
  #restUntil = 0
  #restMs = MIN_REST_MS

  /** Begins to look. Returns whether it is worth it. */
  begin(now: number): boolean {
    this.#lastLook = now
    return now >= this.#restUntil
  }

  /** Looks again. Returns whether it is worth to go on. */
  look(now: number): boolean {
    if (now - this.#lastLook > GAP_MS) this.#rest(now)
    this.#lastLook = now
    return now >= this.#restUntil
  }

  #rest(now: number): void {
    const isSoon = now - this.#restUntil < this.#restMs
    this.#restMs = isSoon ? Math.min(2 * this.#restMs, MAX_REST_MS) : MIN_REST_MS
    this.#restUntil = now + this.#restMs
  }
}
