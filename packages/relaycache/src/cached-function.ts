import type { Lookup } from './backend.ts'

/**
 * Where a value came from: the cache, the function, a run of the function that another caller had begun, the cache
 * although the value is past its ttl or softly invalidated, or the function because the cache was passed by.
 */
export type LookupStatus = 'hit' | 'miss' | 'coalesced' | 'stale' | 'bypass'

/** A value and where it came from. */
export interface Outcome<T> {
  readonly value: T
  readonly status: LookupStatus
}

/** What subscribers of the `node:diagnostics_channel` named `relaycache:read` receive after every lookup. */
export interface ReadEvent {
  readonly key: string
  readonly status: LookupStatus
}

/**
 * What subscribers of the `node:diagnostics_channel` named `relaycache:refresh-failed` receive when the function fails
 * in the background: every caller was served the old value, so nobody else gets the error.
 */
export interface RefreshFailedEvent {
  readonly key: string
  readonly error: unknown
}

/** What one caller wants of a call. */
export interface CallOptions {
  /** Ends the wait of this caller. What runs goes on, for others and for the cache. */
  readonly signal?: AbortSignal | undefined
}

/** A function whose results are cached. Call it like the original; it always gives a promise. */
export interface CachedFunction<A extends readonly unknown[], T> {
  /** The cached value, or else the result of the function. Rejects with the function's error. */
  (...args: A): Promise<T>
  /** Like a call, and says where the value came from. */
  lookup(...args: A): Promise<Outcome<T>>
  /** The cached value if there is one. Never runs the function. */
  peek(...args: A): Promise<Lookup<T>>
  /**
   * The function, called with the options of one caller. An aborted call rejects with the reason of its signal.
   * @example
   * await getBook.with({ signal: AbortSignal.timeout(100) })(1)
   */
  with(options: CallOptions): (...args: A) => Promise<T>
  /**
   * The results for several lists of arguments, in their order. All are looked up together: in Redis in commands with 80
   * keys and tags each, all at once. What is missing is computed as in single calls. Rejects with the first error.
   * @example
   * const [dune, emma] = await getBook.many([[1], [2]])
   */
  many(calls: readonly A[]): Promise<T[]>
  /**
   * Runs the function and stores the result in place of the cached one, which is served until then. Computations
   * of the same arguments that began earlier are not stored any more. Refreshes that are called together share one run.
   */
  refresh(...args: A): Promise<T>
  /**
   * Takes the value of these arguments out of the cache, as exactly as `invalidate` does.
   * @throws {InvalidationUnconfirmedError} when the backend did not confirm
   */
  invalidate(...args: A): Promise<void>
  /** The key of these arguments. @throws {UnsupportedKeyError} when there is none */
  keyOf(...args: A): string
}
