import { performance } from 'node:perf_hooks'
import type { CachedFunction } from '@outrider/relaycache'

/** What one package did for a page. */
export interface TraceRow {
  readonly package: string
  readonly operation: string
  readonly target: string
  /** HIT, MISS or COALESCED for a cache, else empty. */
  readonly result: string
  readonly ms: string
}

/** Collects what the packages did for one request; shown at the foot of the page. */
export class Trace {
  readonly rows: TraceRow[] = []

  /** Runs a step and notes how long it took. `resultOf` names its outcome. */
  async step<T>(
    what: Pick<TraceRow, 'package' | 'operation' | 'target'>,
    fn: () => T | Promise<T>,
    resultOf: (value: T) => string = () => '',
  ): Promise<T> {
    const started = performance.now()
    const value = await fn()
    this.rows.push({ ...what, result: resultOf(value), ms: (performance.now() - started).toFixed(2) })
    return value
  }

  /** Calls a cached function and notes whether the cache had its value. */
  async cached<A extends unknown[], T>(fn: CachedFunction<A, T>, ...args: A): Promise<T> {
    const what = { package: 'relaycache', operation: 'cache', target: fn.keyOf(...args) }
    const { value } = await this.step(
      what,
      () => fn.lookup(...args),
      ({ status }) => status.toUpperCase(),
    )
    return value
  }

  /** The outcome of the last cached call: HIT, MISS or COALESCED. */
  get status(): string {
    return this.rows.findLast(({ result }) => result !== '')?.result ?? ''
  }
}
