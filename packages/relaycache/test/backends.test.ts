import {
  describeWith,
  startRedis,
  startRedisCluster,
  type TestRedis,
  type TestRedisCluster,
} from '@outrider/test-kit'
import type { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, expect } from 'vitest'
import { InMemoryCache, type OnError } from '../src/index.ts'
import { msgpackSerializer } from '../src/msgpack/index.ts'
import { RedisCache, TieredCache, type RedisCacheOptions, type RedisClient } from '../src/redis/index.ts'
import { describeBackend } from './backend-contract.ts'
import { connect, connectCluster, type ClientOptions } from './redis-clients.ts'

let caches = 0

/** Slow machines must not fail open in tests of anything else. */
function createRedisCache(client: RedisClient, options: RedisCacheOptions): RedisCache {
  caches += 1
  return new RedisCache(client, { valuePrefix: `cache${caches}:`, deadline: '10s', ...options })
}

function createTieredCache(client: RedisClient, options: { onError?: OnError }): TieredCache {
  return new TieredCache({ l2: createRedisCache(client, options) })
}

describeBackend('InMemoryCache', (options) => new InMemoryCache(options))

describeWith('redis', 'with Redis', () => {
  let redis: TestRedis
  let clients: Map<string, Redis>
  const kinds: [string, ClientOptions][] = [
    ['RedisCache', {}],
    ['RedisCache on a client with a keyPrefix', { keyPrefix: 'app:' }],
    ['RedisCache on a client with automatic pipelining', { enableAutoPipelining: true }],
    ['RedisCache on a client that replies with strings', { stringNumbers: true }],
  ]
  beforeAll(async () => {
    redis = await startRedis()
    const open = async ([name, options]: [string, ClientOptions]) =>
      [name, await connect(redis.port, options)] as const
    clients = new Map(await Promise.all(kinds.map(open)))
    await clients.get('RedisCache')?.flushall()
  })
  afterAll(async () => {
    for (const client of clients.values()) client.disconnect()
    await redis.stop()
  })

  for (const [name] of kinds) {
    describeBackend(name, (options) => createRedisCache(clients.get(name) ?? expect.fail(), options))
  }
  describeBackend('RedisCache with compressed MessagePack', (options) => {
    const client = clients.get('RedisCache') ?? expect.fail()
    return createRedisCache(client, { ...options, serializer: msgpackSerializer, compressAbove: 20 })
  })
  for (const [name] of kinds) {
    describeBackend(name.replace('RedisCache', 'TieredCache'), (options) =>
      createTieredCache(clients.get(name) ?? expect.fail(), options),
    )
  }
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
  describeBackend('TieredCache', (options) => createTieredCache(client, options))
})
