import { InMemoryCache, type CacheBackend } from '@outrider/relaycache'
import { RedisCache, TieredCache } from '@outrider/relaycache/redis'
import { Redis } from 'ioredis'

/** Where cached values live, and how to let go of it. */
export interface Cache {
  readonly backend: CacheBackend
  /** Of a cache that all processes share: they see the same values, and the same invalidations. */
  readonly redis: Redis | undefined
  /** For people: where values are now. */
  describe(): string
  close(): void
}

/**
 * Memory, or with a URL Redis and in front of it memory, which serves what Redis confirms. Pages work without Redis: a
 * cache that is down is a cache that misses.
 */
export function openCache(redisUrl: string | undefined, onError: (error: unknown) => void): Cache {
  const memory = new InMemoryCache({ defaultTtl: '1h', maxItems: 10_000 })
  if (redisUrl === undefined) {
    return { backend: memory, redis: undefined, describe: () => 'memory', close: () => {} }
  }
  const redis = new Redis(redisUrl, { enableOfflineQueue: false })
  let isAway = false
  redis.on('ready', () => (isAway = false))
  redis.on('error', (error: Error & { command?: { name: string } }) => {
    if (error.command?.name === 'select') redis.disconnect() // it would go on with another database
    if (!isAway) onError(error) // and not with each attempt to come back
    isAway = true
  })
  const l2 = new RedisCache(redis, {
    defaultTtl: '1h',
    valuePrefix: 'blog:',
    metaPrefix: 'blog:meta:',
    onError,
  })
  const backend = new TieredCache({ l1: memory, l2, mode: 'validate' })
  return {
    backend,
    redis,
    describe: () =>
      backend.breaker === 'closed'
        ? 'Redis, with copies in memory that it confirms'
        : 'Redis, which does not answer now',
    close: () => redis.disconnect(),
  }
}
