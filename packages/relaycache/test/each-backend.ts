import { describeWith } from '@outrider/test-kit'
import { describe } from 'vitest'
import { InMemoryCache, type CacheBackend, type OnError } from '../src/index.ts'
import { RedisCache, type RedisClient } from '../src/redis/index.ts'
import { useRedis, useRedisCluster } from './use-redis.ts'

let caches = 0

interface BackendOptions {
  readonly onError?: OnError
}

function createRedisCache(client: RedisClient, options: BackendOptions = {}): RedisCache {
  caches += 1
  return new RedisCache(client, { valuePrefix: `cache${caches}:`, deadline: '10s', ...options })
}

/**
 * Runs the same tests over memory and over a Redis of its own, and over a Redis Cluster where the names of keys matter.
 * `create` makes a new, empty backend.
 */
export function describeEachBackend(
  name: string,
  tests: (create: (options?: BackendOptions) => CacheBackend) => void,
  { inCluster = false }: { inCluster?: boolean } = {},
): void {
  describe(`${name}, in memory`, () => tests((options) => new InMemoryCache(options)))

  describeWith('redis', `${name}, in Redis`, () => {
    const server = useRedis()
    tests((options) => createRedisCache(server.client, options))
  })

  if (!inCluster) return
  describeWith('redis', `${name}, in a Redis Cluster`, () => {
    const cluster = useRedisCluster()
    tests((options) => createRedisCache(cluster.client, options))
  })
}
