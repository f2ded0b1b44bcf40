/** Asking for the time costs as much as the rest of a hit, so an answer serves this many calls. */
const MAX_CALLS = 64

/**
 * The time in milliseconds, at most one millisecond old while the event loop gets to its timers. Where something blocks
 * it, the time is from before that for up to {@link MAX_CALLS} calls more. It begins above 0 also under fake timers:
 * lru-cache takes 0 for "no time".
 */
export class Clock {
  #now = 0
  /** How many more calls get the same answer. */
  #calls = 0
  #timer: NodeJS.Timeout | undefined

  now(): number {
    if (this.#calls > 0) {
      this.#calls -= 1
      return this.#now
    }
    this.#now = performance.now() + 1
    this.#calls = MAX_CALLS
    if (!this.#timer) this.#timer = setTimeout(() => this.#forget(), 1).unref()
    return this.#now
  }

  #forget(): void {
    this.#calls = 0
    this.#timer = undefined
  }
}
