import type { CacheBackend, Capture } from './backend.ts'

/** More errors than this are not kept; the oldest one goes first. */
const MAX_FAILURES = 1000

/** The longest time that a timer can wait: 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1

interface Failure {
  readonly error: unknown
  /** Forgets the error and lets go of its capture. */
  end(): void
}

/**
 * The errors of one backend that are kept for a while, in this process only. They are found by the flight of the
 * capture under which the function failed, so that an invalidation ends them like a stored value.
 */
export class Failures {
  readonly #byFlight = new Map<unknown, Failure>()

  find(flight: unknown): { readonly error: unknown } | undefined {
    return this.#byFlight.get(flight)
  }

  /** Keeps an error, and its capture, which `release` is called for at the end. */
  keep(
    { flight }: Capture,
    error: unknown,
    { forMs, release }: { forMs: number; release: () => void },
  ): void {
    this.#byFlight.get(flight)?.end()
    const end = (): void => {
      clearTimeout(timer)
      this.#byFlight.delete(flight)
      release()
    }
    const timer = setTimeout(end, Math.min(forMs, MAX_TIMER_MS)).unref()
    this.#byFlight.set(flight, { error, end })
    if (this.#byFlight.size <= MAX_FAILURES) return
    const [oldest] = this.#byFlight.values()
    oldest?.end()
  }
}

const failuresByBackend = new WeakMap<CacheBackend, Failures>()

/** The kept errors of a backend. */
export function failuresOf(backend: CacheBackend): Failures {
  let failures = failuresByBackend.get(backend)
  if (!failures) failuresByBackend.set(backend, (failures = new Failures()))
  return failures
}
