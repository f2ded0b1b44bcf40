import {
  describeWith,
  startRedis,
  startRedisCluster,
  type TestRedis,
  type TestRedisCluster,
} from '@outrider/test-kit'
import type { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { InMemoryCache, type OnError } from '../src/index.ts'
import { RedisCache, type RedisClient } from '../src/redis/index.ts'
import { describeBackend } from './backend-contract.ts'
import { connect, connectCluster } from './redis-clients.ts'

let caches = 0

/** Slow machines must not fail open in tests of anything else. */
function createRedisCache(client: RedisClient, options: { onError?: OnError }): RedisCache {
  caches += 1
  return new RedisCache(client, { valuePrefix: `cache${caches}:`, deadline: '10s', ...options })
}

describeBackend('InMemoryCache', (options) => new InMemoryCache(options))

describeWith('redis', 'with Redis', () => {
  let redis: TestRedis
  let client: Redis
  let prefixed: Redis
  beforeAll(async () => {
    redis = await startRedis()
    client = await connect(redis.port)
    prefixed = await connect(redis.port, { keyPrefix: 'app:' })
    await client.flushall()
  })
  afterAll(async () => {
    client.disconnect()
    prefixed.disconnect()
    await redis.stop()
  })

  describeBackend('RedisCache', (options) => createRedisCache(client, options))
  describeBackend('RedisCache on a client with a keyPrefix', (options) => createRedisCache(prefixed, options))
})

describeWith('redis', 'with a Redis Cluster', () => {
  let nodes: TestRedisCluster
  let client: Cluster
  beforeAll(async () => {
    nodes = await startRedisCluster()
    client = await connectCluster(nodes.nodes)
  })
  afterAll(async () => {
    client.disconnect()
    await nodes.stop()
  })

  describeBackend('RedisCache', (options) => createRedisCache(client, options))
})
