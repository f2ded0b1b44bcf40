import { InMemoryCache, type InMemoryCacheStats } from '../memory/in-memory-cache.ts'
import { checkOptionNames, describe } from '../options.ts'
import type { RedisClient } from '../redis/client.ts'
import { internalsOf, RedisCache, type Internals } from '../redis/redis-cache.ts'
import type { RedisCacheStats } from '../redis/stats.ts'
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
   * When a value in L1 is served: `validate` asks Redis each time whether the value is the one that it holds, and
   * whether what it depends on was invalidated. @default 'validate'
   */
  readonly mode?: 'validate' | undefined
}

const OPTION_NAMES = ['l1', 'l2', 'mode'] as const

/** The statistics of a {@link TieredCache}: those of Redis, and those of the memory of this process. */
export interface TieredCacheStats extends RedisCacheStats {
  /**
   * Hits are lookups for which no value had to be transferred; misses those for which L1 held none, or not the one that
   * Redis holds. `activeKeys` counts what is held; whether it is valid, only Redis knows.
   */
  readonly l1: InMemoryCacheStats
}

/**
 * A {@link RedisCache} that keeps decoded values in the memory of this process as well. Each lookup still costs a round
 * trip, with the same answer as that of a RedisCache, but a value that this process has already is neither transferred
 * nor decoded again. That pays for values of some kilobytes and more.
 *
 * @throws {TypeError} for an unknown or ill-typed option
 * @example
 * const backend = new TieredCache({ l1: new InMemoryCache({ maxItems: 1000 }), l2: new RedisCache(client) })
 */
export class TieredCache<Client extends RedisClient = RedisClient> extends RedisCache<Client> {
  readonly #l1: InMemoryCache

  constructor(options: TieredCacheOptions<Client>) {
    checkOptionNames('TieredCache', options, OPTION_NAMES)
    const { l1 = new InMemoryCache(), l2, mode = 'validate' } = options
    const { options: redisOptions } = checkL2(l2)
    if (!(l1 instanceof InMemoryCache)) {
      throw new TypeError(`Expected l1 to be an InMemoryCache, got ${describe(l1)}`)
    }
    if (mode !== 'validate') throw new TypeError(`Expected mode to be 'validate', got ${describe(mode)}`)
    super(l2.client, redisOptions)
    this.#l1 = l1
    internalsOf(this)?.entries.keepIn(new L1Values(l1))
  }

  override async clear(): Promise<void> {
    await this.#l1.clear()
    await super.clear()
  }

  override async stats(): Promise<TieredCacheStats> {
    const l1 = await this.#l1.stats()
    return { ...(await super.stats()), l1 }
  }
}

function checkL2(l2: unknown): Internals {
  const internals = typeof l2 === 'object' && l2 !== null ? internalsOf(l2) : undefined
  if (internals) return internals
  throw new TypeError(`Expected l2 to be a RedisCache, got ${describe(l2)}`)
}
