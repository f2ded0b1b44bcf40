import KeyvRedis, { createKeyv } from '@keyv/redis'
import { BentoCache, bentostore } from 'bentocache'
import { redisDriver } from 'bentocache/drivers/redis'
import { createCache } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { keyOf, tagsOf } from './books.mjs'
import { connect } from './redis-server.mjs'

const TTL_MS = 3_600_000

/**
 * A cached function, and how to end what it needs.
 *
 * @typedef {{wrap: (load: (id: number) => Promise<unknown>) => (id: number) => Promise<any>, close: () => unknown}} Opened
 */

/**
 * bentocache with Redis alone, on a client that puts the commands of one tick together.
 *
 * @param {{port: number}} server
 * @returns {Promise<Opened>}
 */
export async function openBentocache(server) {
  const connection = await connect(server, { enableAutoPipelining: true })
  const store = bentostore().useL2Layer(redisDriver({ connection }))
  const bento = new BentoCache({ default: 'redis', stores: { redis: store } })
  return {
    wrap: (load) => (id) =>
      bento.getOrSet({
        key: keyOf(id),
        tags: tagsOf(id),
        ttl: TTL_MS,
        grace: false,
        factory: () => load(id),
      }),
    close: () => connection.disconnect(),
  }
}

/**
 * cacheable with memory before Redis, its only way to use Redis.
 *
 * @param {{url: string}} server
 * @returns {Promise<Opened>}
 */
export async function openCacheable({ url }) {
  const cacheable = new Cacheable({ secondary: new KeyvRedis(url) })
  return {
    wrap: (load) => (id) => cacheable.getOrSet(keyOf(id), () => load(id), { ttl: TTL_MS }),
    close: () => cacheable.disconnect(),
  }
}

/**
 * cache-manager with Redis alone.
 *
 * @param {{url: string}} server
 * @returns {Promise<Opened>}
 */
export async function openCacheManager({ url }) {
  const manager = createCache({ stores: [createKeyv(url)] })
  return {
    wrap: (load) => (id) => manager.wrap(keyOf(id), () => load(id), TTL_MS),
    close: () => manager.disconnect(),
  }
}
