import {
  describeWith,
  startRedis,
  startRedisCluster,
  type TestRedis,
  type TestRedisCluster,
} from '@outrider/test-kit'
import type { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe } from 'vitest'
import { InMemoryCache, type CacheBackend } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import { connect, connectCluster } from './redis-clients.ts'

let caches = 0

function createRedisCache(client: Redis | Cluster): RedisCache {
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
    let redis: TestRedis
    let client: Redis
    beforeAll(async () => {
      redis = await startRedis()
      client = await connect(redis.port)
    })
    afterAll(async () => {
      client.disconnect()
      await redis.stop()
    })
    tests(() => createRedisCache(client))
  })

  if (!inCluster) return
  describeWith('redis', `${name}, in a Redis Cluster`, () => {
    let redis: TestRedisCluster
    let client: Cluster
    beforeAll(async () => {
      redis = await startRedisCluster()
      client = await connectCluster(redis.nodes)
    })
    afterAll(async () => {
      client.disconnect()
      await redis.stop()
    })
    tests(() => createRedisCache(client))
  })
}
