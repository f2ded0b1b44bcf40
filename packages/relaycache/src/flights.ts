import type { CacheBackend, Shared } from './backend.ts'

interface Flight {
  readonly shared: Promise<Shared>
  /** The {@link moment} at which the function began to run. */
  startedAt: number
}

let latestMoment = 0

/** A number that grows with every call: the order in which callers and computations of this process began. */
export function moment(): number {
  latestMoment += 1
  return latestMoment
}

/** The computations under way on one backend, so that wrappers made anew for each request share them too. */
export class Flights {
  readonly #byId = new Map<unknown, Flight>()

  /**
   * The computation with this id, if it began after `since`. Pass `-Infinity` when the id itself proves that
   * nothing was invalidated since; without such a proof a caller may only join what began after the caller did.
   */
  find(id: unknown, since: number): Promise<Shared> | undefined {
    const flight = this.#byId.get(id)
    return flight && flight.startedAt > since ? flight.shared : undefined
  }

  /** Whether a computation with this id is under way, whenever it began. */
  has(id: unknown): boolean {
    return this.#byId.has(id)
  }

  /** Runs a computation that others may join until it settles. A failure reaches everyone who joined. */
  start(id: unknown, compute: () => Promise<Shared>): Promise<Shared> {
    const run = async (): Promise<Shared> => {
      flight.startedAt = moment()
      try {
        return await compute()
      } finally {
        if (this.#byId.get(id) === flight) this.#byId.delete(id)
      }
    }
    const flight: Flight = { shared: Promise.resolve().then(run), startedAt: Infinity }
    this.#byId.set(id, flight)
    return flight.shared
  }
}

const flightsByBackend = new WeakMap<CacheBackend, Flights>()

/** The flights of a backend. */
export function flightsOf(backend: CacheBackend): Flights {
  let flights = flightsByBackend.get(backend)
  if (!flights) flightsByBackend.set(backend, (flights = new Flights()))
  return flights
}
