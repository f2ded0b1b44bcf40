import { durationToMs, type Duration } from '../duration.ts'
import { empty, InMemoryCache, type InMemoryCacheStats } from '../memory/in-memory-cache.ts'
import { checkOptionNames, describe } from '../options.ts'
import type { RedisClient } from '../redis/client.ts'
import { internalsOf, RedisCache, type Internals } from '../redis/redis-cache.ts'
import type { RedisCacheStats } from '../redis/stats.ts'
import { BusValues } from './bus-values.ts'
import { L1Values } from './l1-values.ts'

/** How a {@link TieredCache} behaves. */
export interface TieredCacheOptions<Client extends RedisClient = RedisClient> {
  /**
   * Where this process keeps values that it has decoded: bounds them, and sets how they are isolated. Use it for
   * nothing else. Its `defaultTtl` has no effect. @default new InMemoryCache()
   */
  readonly l1?: InMemoryCache | undefined
  /** Its client and its options are used. It can go on being used by itself, and shares the values. */
  readonly l2: RedisCache<Client>
  /**
   * When a value in L1 is served. `validate` asks Redis each time whether the value is the one that it holds, and
   * whether what it depends on was invalidated. `bus` does not ask, and serves what another process invalidated until it
   * hears of that, which is never later than `l1Lease`. @default 'validate'
   */
  readonly mode?: 'validate' | 'bus' | undefined
  /**
   * With `mode: 'bus'`: how long after its invalidation by another process a value in L1 may be served when messages of
   * Redis are late or lost. From 100 ms to one hour. @default '2s'
   */
  readonly l1Lease?: Duration | undefined
}

const OPTION_NAMES = ['l1', 'l2', 'mode', 'l1Lease'] as const
const MODES = new Set<unknown>(['validate', 'bus'])
const MIN_LEASE_MS = 100
const MAX_LEASE_MS = 3_600_000

/** The statistics of a {@link TieredCache}: those of Redis, and those of the memory of this process. */
export interface TieredCacheStats extends RedisCacheStats {
  /**
   * Hits are lookups for which no value had to be transferred; misses those for which L1 held none, or not the one that
   * Redis holds. `activeKeys` counts what is held; whether it is valid, only Redis knows.
   */
  readonly l1: InMemoryCacheStats
  /** Whether values of L1 are served without asking Redis at this moment: never with `mode: 'validate'`. */
  readonly trusted: boolean
}

/**
 * A {@link RedisCache} that keeps decoded values in the memory of this process as well.
 *
 * With `mode: 'validate'` each lookup still costs a round trip, with the same answer as that of a RedisCache, but a value
 * that this process has already is neither transferred nor decoded again. That pays for values of some kilobytes and more.
 *
 * With `mode: 'bus'` such a value costs no round trip. An invalidation by this backend takes effect when it is called; one
 * by another process when its message arrives, and never later than `l1Lease` after it resolved. Processes that use the
 * same prefixes tell each other, whichever backend of this entry they use.
 *
 * @throws {TypeError} for an unknown or ill-typed option, and for `l1Lease` without `mode: 'bus'`
 * @throws {RangeError} when `l1Lease` is out of range
 * @example
 * const backend = new TieredCache({ l1: new InMemoryCache({ maxItems: 1000 }), l2: new RedisCache(client) })
 */
export class TieredCache<Client extends RedisClient = RedisClient> extends RedisCache<Client> {
  readonly #l1: InMemoryCache
  readonly #bus: BusValues | undefined

  constructor(options: TieredCacheOptions<Client>) {
    checkOptionNames('TieredCache', options, OPTION_NAMES)
    const { l1 = new InMemoryCache(), l2, mode = 'validate', l1Lease } = options
    const { options: redisOptions } = checkL2(l2)
    if (!(l1 instanceof InMemoryCache)) {
      throw new TypeError(`Expected l1 to be an InMemoryCache, got ${describe(l1)}`)
    }
    if (!MODES.has(mode))
      throw new TypeError(`Expected mode to be 'validate' or 'bus', got ${describe(mode)}`)
    if (mode === 'validate' && l1Lease !== undefined) {
      throw new TypeError("Expected no l1Lease with mode 'validate', which asks Redis each time")
    }
    const leaseMs = leaseToMs(l1Lease)
    super(l2.client, redisOptions)
    this.#l1 = l1
    const internals = checkL2(this)
    this.#bus = mode === 'bus' ? new BusValues(l1, { client: l2.client, internals, leaseMs }) : undefined
    internals.keepIn(this.#bus ?? new L1Values(l1, internals.keys))
  }

  override async clear(): Promise<void> {
    empty(this.#l1)
    await super.clear()
  }

  override async stats(): Promise<TieredCacheStats> {
    const l1 = await this.#l1.stats()
    const trusted = this.#bus?.isTrusted ?? false
    return { ...(await super.stats()), l1, trusted }
  }
}

function leaseToMs(l1Lease: unknown = '2s'): number {
  const leaseMs = durationToMs('l1Lease', l1Lease)
  if (leaseMs >= MIN_LEASE_MS && leaseMs <= MAX_LEASE_MS) return leaseMs
  throw new RangeError(`Expected l1Lease to be from 100 ms to one hour, got ${describe(l1Lease)}`)
}

function checkL2(l2: unknown): Internals {
  const internals = typeof l2 === 'object' && l2 !== null ? internalsOf(l2) : undefined
  if (internals) return internals
  throw new TypeError(`Expected l2 to be a RedisCache, got ${describe(l2)}`)
}
