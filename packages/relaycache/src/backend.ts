import type { BreakerState } from './breaker-state.ts'
import type { SetOptions } from './set-options.ts'

/** What a look into the cache found. A cached `null` or `undefined` is a hit. */
export type Lookup<T = unknown> =
  | { readonly hit: true; readonly value: T }
  | { readonly hit: false; readonly value?: never }

/** Counts since the backend was created, in this process. */
export interface Counters {
  /** Lookups answered from the cache. */
  hits: number
  /** Lookups that found nothing valid. */
  misses: number
  /** Lookups that joined a computation already under way. */
  coalesced: number
  /** Operations that failed or were late. */
  errors: number
}

/** A snapshot for monitoring. The four key counts are `null` when the backend cannot be asked. */
export interface CacheStats extends Readonly<Counters> {
  /** Keys held, valid or not. */
  readonly totalKeys: number | null
  /** Keys whose value would be served now. */
  readonly activeKeys: number | null
  /** Keys held whose value would not be served: expired or invalidated, and not yet swept. */
  readonly expiredKeys: number | null
  /** Tags known to the backend. */
  readonly totalTags: number | null
  /** Whether the key counts are estimates. */
  readonly approximate: boolean
}

/**
 * The state of the cache just before a computation: the tokens of the entry's tags and of its key. What is stored
 * with a capture is served only while all of them are still current, so whatever was invalidated while the
 * function ran is dead on arrival.
 */
export interface Capture {
  /**
   * Equal for two captures only if nothing was invalidated between them. A caller joins a running computation
   * only by this id: joining by key alone would hand out values from before an invalidation.
   */
  readonly flight: unknown
}

/** Until when a value is fresh, as a moment of `performance.now()`, and how long the function took to make it. */
export interface Timing {
  readonly freshUntil: number
  readonly computeMs: number
}

/**
 * A value that is past its ttl but not past its grace, or that was softly invalidated since it was computed. Its tokens
 * are current all the same: nothing that was invalidated in the ordinary way is ever stale, it is gone.
 */
export interface Stale {
  readonly value: unknown
  /** Whether it was softly invalidated, and not only gets old. */
  readonly soft: boolean
}

/**
 * What {@link CacheBackend.read} found. A miss without `capture` means: compute, and do not store. A hit has the
 * `timing` that it was stored with, if any.
 */
export type Read =
  | { readonly hit: true; readonly value: unknown; readonly timing?: Timing | undefined }
  | { readonly hit: false; readonly capture: Capture | undefined; readonly stale?: Stale | undefined }

/** How {@link CacheBackend.invalidateTags} treats the values. */
export interface InvalidateTagsOptions {
  /** Whether cached functions may serve them while they are computed again. @default false */
  readonly soft?: boolean | undefined
}

/** What {@link CacheBackend.store} may be told besides the ttl. */
export interface StoreOptions {
  /** How long the value is kept beyond its ttl, to be served as stale, and how long the function took. */
  readonly timing?: { readonly graceMs: number; readonly computeMs: number } | undefined
  /** Tags that follow from the value. The capture must have been asked for with `openTags`, else nothing is stored. */
  readonly resultTags?: readonly string[] | undefined
}

/**
 * How a computed value is handed out, so that no caller can change what another one gets. A value that cannot be stored
 * cannot be copied either: all get the same one.
 */
export interface Shared {
  /** For the caller that computed it. */
  readonly own: unknown
  /** For one caller that joined the computation; called once for each. */
  copy(): unknown
}

/** What a backend must know of a computation to run it in one process at a time. */
export interface Computation {
  readonly key: string
  readonly tags: () => readonly string[]
  /** How long its value may live. */
  readonly ttlMs: number
  /** Whether more tags follow from the value. */
  readonly openTags: boolean
  /** How long the process that computes may be out of reach before another one takes over. */
  readonly lockTtlMs: number
  /** How long to wait for another process. */
  readonly lockTimeoutMs: number
}

/** Now or later. Memory answers at once, and a hit then costs no more than one promise. */
export type MaybePromise<T> = T | Promise<T>

/**
 * A store of values under keys and tags. The first seven methods are for users. `peek`, `read`, `renew`, `store`
 * and `release` are what `cache()` works with: `read` or `renew` before the function runs, then `store` with the
 * capture, then always `release`.
 *
 * Reads and `set` never reject because the backend is down; no method takes a key or a tag with a lone surrogate; `delete`, `clear` and `invalidateTags` do, unless the
 * backend confirmed: no call that begins after they resolved returns a value whose computation began before them.
 */
export interface CacheBackend {
  readonly counters: Counters
  /** The state of the circuit breaker, where there is one. */
  readonly breaker?: BreakerState
  /** Looks up one key. */
  get(key: string): Promise<Lookup>
  /**
   * Stores one value, in place of any other. Resolves to whether it was stored. The value counts as computed when the
   * backend receives it, which may be after an invalidation that another process made meanwhile: store what you
   * computed before through `cache()` or `refresh()`.
   */
  set(key: string, value: unknown, options?: SetOptions): Promise<boolean>
  /** Takes one key out of the cache. */
  delete(key: string): Promise<void>
  /** Whether `get` would hit. Not counted as a hit or a miss. */
  has(key: string): Promise<boolean>
  /** Takes everything out of the cache. */
  clear(): Promise<void>
  /**
   * Takes every value out of the cache that has at least one of the tags, or with `soft` makes it {@link Stale}: it is
   * then not found any more but by `read` and a `peek` that allows it.
   */
  invalidateTags(tags: readonly string[], options?: InvalidateTagsOptions): Promise<void>
  stats(): Promise<CacheStats>

  /**
   * Looks up one key without counting and without preparing a computation. `tags` are those it is expected to have. With
   * `allowStale` a {@link Stale} value is a hit as well.
   */
  peek(key: string, tags: () => readonly string[], allowStale?: boolean): MaybePromise<Lookup>
  /**
   * Looks up one key and, when there is nothing valid, captures the state for a computation. With `openTags` more tags
   * follow from its value: then the capture holds until tags are invalidated, whichever they are.
   */
  read(key: string, tags: () => readonly string[], ttlMs: number, openTags?: boolean): MaybePromise<Read>
  /** Captures the state for a computation whose value replaces whatever older computations of this key give. */
  renew(
    key: string,
    tags: () => readonly string[],
    ttlMs: number,
    openTags?: boolean,
  ): MaybePromise<Capture | undefined>
  /** Stores a computed value if nothing was invalidated since the capture. Never rejects. */
  store(
    capture: Capture | undefined,
    value: unknown,
    ttlMs: number,
    options?: StoreOptions,
  ): MaybePromise<Shared>
  /** Ends the computation of a capture, stored or failed. */
  release(capture: Capture): void
  /**
   * For a backend that several processes share: calls `run`, which computes and stores, unless another process computes
   * the value already. Then waits for that, and resolves to its value if that is valid by then. Calls `run` at most
   * once, with the capture to store with, and settles as it does. Never rejects because the backend is down.
   */
  lead?(
    capture: Capture,
    computation: Computation,
    run: (capture: Capture | undefined) => Promise<Shared>,
  ): Promise<Shared>
}

/** The counters of a new backend. */
export function createCounters(): Counters {
  return { hits: 0, misses: 0, coalesced: 0, errors: 0 }
}
