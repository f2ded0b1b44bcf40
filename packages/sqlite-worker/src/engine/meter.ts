import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** How a quantity was spread, in its unit. All are 0 before anything was measured. */
export interface Distribution {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Counts what one set of threads did since it was made. */
export class Meter {
  /** Operations that have their outcome. */
  operations = 0
  failures = 0
  /** Milliseconds from a call until the oldest operation of a message was sent, and from there to its answer. */
  readonly waitMs: Spread = new Spread(1000)
  readonly runMs: Spread = new Spread(1000)
  /** Operations per transaction that they shared. */
  readonly groupSize: Spread = new Spread(1)
}

/** Collects numbers of 0 or more. */
export class Spread {
  readonly #histogram: RecordableHistogram = createHistogram()
  readonly #scale: number

  /** Numbers are kept as integers after multiplying by `scale`. */
  constructor(scale: number) {
    this.#scale = scale
  }

  add(value: number): void {
    this.#histogram.record(Math.max(1, Math.round(value * this.#scale)))
  }

  summary(): Distribution {
    const { count, mean, max } = this.#histogram
    if (count === 0) return { count: 0, mean: 0, p50: 0, p99: 0, max: 0 }
    const scaled = (value: number) => value / this.#scale
    const percentile = (p: number) => scaled(this.#histogram.percentile(p))
    return { count, mean: scaled(mean), p50: percentile(50), p99: percentile(99), max: scaled(max) }
  }
}
