import { describeWith } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect } from 'vitest'
import { InMemoryCache, type OnError } from '../src/index.ts'
import { msgpackSerializer } from '../src/msgpack/index.ts'
import { RedisCache, TieredCache, type RedisCacheOptions, type RedisClient } from '../src/redis/index.ts'
import { describeBackend } from './backend-contract.ts'
import { connect, type ClientOptions } from './redis-clients.ts'
import { openBus } from './trusted.ts'
import { useRedis, useRedisCluster } from './use-redis.ts'

let caches = 0

/** Slow machines must not fail open in tests of anything else. */
function createRedisCache(client: RedisClient, options: RedisCacheOptions): RedisCache {
  caches += 1
  return new RedisCache(client, { valuePrefix: `cache${caches}:`, deadline: '10s', ...options })
}

function createTieredCache(client: RedisClient, options: { onError?: OnError }): TieredCache {
  return new TieredCache({ l2: createRedisCache(client, options) })
}

async function createBus(client: RedisClient, options: { onError?: OnError }): Promise<TieredCache> {
  caches += 1
  return openBus(client, { valuePrefix: `cache${caches}:`, ...options })
}

describeBackend('InMemoryCache', (options) => new InMemoryCache(options))

describeWith('redis', 'with Redis', () => {
  const server = useRedis()
  let clients: Map<string, Redis>
  const kinds: [string, ClientOptions][] = [
    ['RedisCache', {}],
    ['RedisCache on a client with a keyPrefix', { keyPrefix: 'app:' }],
    ['RedisCache on a client with automatic pipelining', { enableAutoPipelining: true }],
    ['RedisCache on a client that replies with strings', { stringNumbers: true }],
  ]
  beforeAll(async () => {
    const open = async ([name, options]: [string, ClientOptions]) =>
      [name, await connect(server.redis.port, options)] as const
    clients = new Map(await Promise.all(kinds.map(open)))
    await clients.get('RedisCache')?.flushall()
  })
  afterAll(() => {
    for (const client of clients.values()) client.disconnect()
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
    describeBackend(name.replace('RedisCache', "TieredCache with mode 'bus'"), (options) =>
      createBus(clients.get(name) ?? expect.fail(), options),
    )
  }
})

describeWith('redis', 'with a Redis Cluster', () => {
  const cluster = useRedisCluster()

  describeBackend('RedisCache', (options) => createRedisCache(cluster.client, options))
  describeBackend('TieredCache', (options) => createTieredCache(cluster.client, options))
  describeBackend("TieredCache with mode 'bus'", (options) => createBus(cluster.client, options))
})
