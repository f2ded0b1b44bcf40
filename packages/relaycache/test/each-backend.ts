import { describeWith } from '@outrider/test-kit'
import { describe } from 'vitest'
import { InMemoryCache, type CacheBackend } from '../src/index.ts'
import { RedisCache, type RedisClient } from '../src/redis/index.ts'
import { useRedis, useRedisCluster } from './use-redis.ts'

let caches = 0

function createRedisCache(client: RedisClient): RedisCache {
  caches += 1
  return new RedisCache(client, { valuePrefix: `cache${caches}:`, deadline: '10s' })
}

/**
 * Runs the same tests over memory and over a Redis of its own, and over a Redis Cluster where the names of keys matter.
 * `create` makes a new, empty backend.
 */
export function describeEachBackend(
  name: string,
  tests: (create: () => CacheBackend) => void,
  { inCluster = false }: { inCluster?: boolean } = {},
): void {
  describe(`${name}, in memory`, () => tests(() => new InMemoryCache()))

  describeWith('redis', `${name}, in Redis`, () => {
    const server = useRedis()
    tests(() => createRedisCache(server.client))
  })

  if (!inCluster) return
  describeWith('redis', `${name}, in a Redis Cluster`, () => {
    const cluster = useRedisCluster()
    tests(() => createRedisCache(cluster.client))
  })
}
