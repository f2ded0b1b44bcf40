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

/** What {@link CacheBackend.read} found. A miss without `capture` means: compute, and do not store. */
export type Read =
  | { readonly hit: true; readonly value: unknown }
  | { readonly hit: false; readonly capture: Capture | undefined }

/** How a computed value is handed out, so that no caller can change what another one gets. */
export interface Shared {
  /** For the caller that computed it. */
  readonly own: unknown
  /** For one caller that joined the computation; called once for each. */
  copy(): unknown
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
  /** Takes every value out of the cache that has at least one of the tags. */
  invalidateTags(tags: readonly string[]): Promise<void>
  stats(): Promise<CacheStats>

  /** Looks up one key without counting and without preparing a computation. `tags` are those it is expected to have. */
  peek(key: string, tags: () => readonly string[]): MaybePromise<Lookup>
  /** Looks up one key and, when there is nothing valid, captures the state for a computation. */
  read(key: string, tags: () => readonly string[], ttlMs: number): MaybePromise<Read>
  /** Captures the state for a computation whose value replaces whatever older computations of this key give. */
  renew(key: string, tags: () => readonly string[], ttlMs: number): MaybePromise<Capture | undefined>
  /** Stores a computed value if nothing was invalidated since the capture. Never rejects. */
  store(capture: Capture | undefined, value: unknown, ttlMs: number): MaybePromise<Shared>
  /** Ends the computation of a capture, stored or failed. */
  release(capture: Capture): void
}

/** The counters of a new backend. */
export function createCounters(): Counters {
  return { hits: 0, misses: 0, coalesced: 0, errors: 0 }
}
