import { InMemoryCache, type CacheBackend } from '@outrider/relaycache'
import { RedisCache } from '@outrider/relaycache/redis'
import { Redis } from 'ioredis'

/** Where cached values live, and how to let go of it. */
export interface Cache {
  readonly backend: CacheBackend
  /** Whether other processes see the same values, and the same invalidations. */
  readonly isShared: boolean
  /** For people: what it is. */
  readonly name: string
  close(): void
}

/** Memory, or Redis when its URL is given. Pages work without Redis: a cache that is down is a cache that misses. */
export function openCache(redisUrl: string | undefined, onError: (error: unknown) => void): Cache {
  if (redisUrl === undefined) {
    const backend = new InMemoryCache({ defaultTtl: '1h', maxItems: 10_000 })
    return { backend, isShared: false, name: 'memory', close: () => {} }
  }
  const client = new Redis(redisUrl, { enableOfflineQueue: false })
  client.on('error', onError)
  const backend = new RedisCache(client, {
    defaultTtl: '1h',
    valuePrefix: 'blog:',
    metaPrefix: 'blog:meta:',
    onError,
  })
  return { backend, isShared: true, name: 'Redis', close: () => client.disconnect() }
}
