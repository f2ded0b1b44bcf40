import type { CacheBackend } from '../backend.ts'
import { checkBackend, getDefaultBackend } from '../default-backend.ts'
import { durationToMs, ttlToMs, type Duration, type Ttl } from '../duration.ts'
import type { InvalidationUnconfirmedError } from '../errors.ts'
import { checkOptionNames, describe } from '../options.ts'

/** How {@link relayDrizzleCache} caches queries. */
export interface RelayDrizzleCacheOptions {
  /** How long a result may be served, unless `$withCache({ config: { ex } })` says otherwise. A bare number is seconds. */
  readonly ttl: Ttl
  /** Where results are kept. @default the default backend */
  readonly backend?: CacheBackend | undefined
  /** Whether queries are cached that ask for it with `$withCache()`, or all but those that say `$withCache(false)`. @default 'explicit' */
  readonly strategy?: 'explicit' | 'all' | undefined
  /** Keeps databases apart that share a backend. @default 'drizzle' */
  readonly namespace?: string | undefined
  /**
   * How long after it was sent a statement may take until its change can be read: until its transaction has committed.
   * For as long, no result of its tables is stored. Does not matter to what is written within `write()`. @default '5s'
   */
  readonly settle?: Duration | undefined
  /** Asked for each query. While it says true, results are neither taken from the cache nor stored. */
  readonly bypass?: (() => boolean) | undefined
  /**
   * Called when the change is made but its invalidation is not confirmed.
   * @default the statement, or `write()`, rejects although the database has the change
   */
  readonly onUnconfirmed?: ((error: InvalidationUnconfirmedError) => void) | undefined
}

/** {@link RelayDrizzleCacheOptions} with every decision made. */
export interface ResolvedOptions {
  readonly ttlMs: number
  readonly backend: () => CacheBackend
  readonly strategy: 'explicit' | 'all'
  readonly namespace: string
  readonly settle: Duration
  readonly bypass: (() => boolean) | undefined
  readonly onUnconfirmed: ((error: InvalidationUnconfirmedError) => void) | undefined
}

const OPTION_NAMES = ['ttl', 'backend', 'strategy', 'namespace', 'settle', 'bypass', 'onUnconfirmed'] as const

/** @throws {TypeError | RangeError} when an option is unknown, ill-typed or out of range */
export function resolveOptions(options: RelayDrizzleCacheOptions): ResolvedOptions {
  checkOptionNames('relayDrizzleCache', options, OPTION_NAMES)
  const { backend, strategy = 'explicit', namespace = 'drizzle', settle = '5s' } = options
  if (backend !== undefined) checkBackend(backend)
  if (strategy !== 'explicit' && strategy !== 'all') {
    throw new TypeError(`Expected strategy to be 'explicit' or 'all', got ${describe(strategy)}`)
  }
  if (typeof namespace !== 'string') {
    throw new TypeError(`Expected namespace to be a string, got ${describe(namespace)}`)
  }
  return {
    ttlMs: ttlToMs('ttl', options.ttl),
    backend: backend === undefined ? getDefaultBackend : () => backend,
    strategy,
    namespace: JSON.stringify(namespace),
    settle: `${durationToMs('settle', settle)}ms`,
    bypass: options.bypass,
    onUnconfirmed: options.onUnconfirmed,
  }
}
