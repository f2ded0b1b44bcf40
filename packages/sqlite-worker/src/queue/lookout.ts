import { promoteDue, readDigest, redateDelayed, type Digest } from './digest.ts'
import { fireDue, rewindSchedules } from './scheduler.ts'
import type { Store } from './store.ts'
import type { ResolvedWorkOptions } from './work-options.ts'

/** Who is told of what was found. */
export interface LookoutEvents {
  /** There are jobs to claim. */
  readonly ready: () => void
  /** There are jobs that may have killed the process that ran them. */
  readonly suspect: () => void
  readonly failed: (error: unknown) => void
}

/** Looks for what this process was not told of: jobs of other processes, and what the time has brought. */
export class Lookout {
  readonly #store: Store
  readonly #options: ResolvedWorkOptions
  readonly #events: LookoutEvents
  #isOpen = false
  #isLooking = false
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires, on the clock of performance.now(). */
  #nextMs = Infinity
  /** The earliest time at which something is to happen of which it was told since the last look began. */
  #dueAt = Infinity

  constructor(store: Store, options: ResolvedWorkOptions, events: LookoutEvents) {
    this.#store = store
    this.#options = options
    this.#events = events
  }

  /** Begins with a look. */
  start(): void {
    this.#isOpen = true
    void this.#look()
  }

  stop(): void {
    this.#isOpen = false
    clearTimeout(this.#timer)
  }

  /** Told that something is to happen at a time of the queue's clock. */
  expect(at: number): void {
    this.#dueAt = Math.min(this.#dueAt, at)
    if (!this.#isLooking) this.#lookAt(this.#dueAt)
  }

  /** Lets the next look come at a time of the queue's clock, or after the interval if that is sooner. */
  #lookAt(at: number): void {
    if (!this.#isOpen) return
    const delayMs = Math.max(1, Math.min(this.#options.pollIntervalMs, at - this.#store.now()))
    const nextMs = performance.now() + delayMs
    if (nextMs >= this.#nextMs) return
    clearTimeout(this.#timer)
    this.#nextMs = nextMs
    this.#timer = setTimeout(() => void this.#look(), delayMs)
  }

  async #look(): Promise<void> {
    if (this.#isLooking || !this.#isOpen) return
    this.#isLooking = true
    clearTimeout(this.#timer)
    this.#nextMs = Infinity
    this.#dueAt = Infinity
    let next = Infinity
    try {
      await this.#store.onClockSetBack(async () => {
        await redateDelayed(this.#store)
        await rewindSchedules(this.#store)
      })
      next = await this.#actOn(await readDigest(this.#store))
    } catch (error) {
      this.#events.failed(error)
    }
    this.#isLooking = false
    this.#lookAt(Math.min(next, this.#dueAt))
  }

  /** Does what is due. Resolves to when something will be. */
  async #actOn(digest: Digest): Promise<number> {
    const { rateLimit } = this.#options
    const now = this.#store.now()
    let isReady = digest.ready === 1
    let next = Math.min(digest.due ?? Infinity, digest.cron ?? Infinity)
    if (next <= now) {
      next = Infinity
      if (digest.due !== null && digest.due <= now && (await promoteDue(this.#store))) next = now
      if (digest.cron !== null && digest.cron <= now) await fireDue(this.#store)
      const after = await readDigest(this.#store)
      isReady = after.ready === 1
      // what is due still could not be done, and waits for the next look
      for (const at of [after.due, after.cron]) if (at !== null && at > now) next = Math.min(next, at)
    }
    if (isReady) this.#events.ready()
    if (digest.suspect === 1) this.#events.suspect()
    if (rateLimit && isReady && digest.start !== null)
      next = Math.min(next, digest.start + rateLimit.durationMs)
    return next
  }
}
