import { cachified, totalTtl } from '@epic-web/cachified'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { createCache } from 'cache-manager'
import { Cacheable, createKeyv } from 'cacheable'
import { LRUCache } from 'lru-cache'
import { keyOf, tagsOf } from './books.mjs'

// Each in its fastest documented setting: values are handed out without a copy, which ours freezes.
const MAX_ITEMS = 10_000
const TTL_MS = 3_600_000

/** @typedef {(load: (id: number) => Promise<unknown>) => (id: number) => Promise<any>} Wrap */

/** @type {Wrap} */
export function withBentocache(load) {
  const store = bentostore().useL1Layer(memoryDriver({ maxItems: MAX_ITEMS, serialize: false }))
  const bento = new BentoCache({ default: 'memory', stores: { memory: store } })
  return (id) =>
    bento.getOrSet({ key: keyOf(id), tags: tagsOf(id), ttl: TTL_MS, grace: false, factory: () => load(id) })
}

/** Its `getOrSet` takes no tags: with tags it is `get` and `set`. @type {Wrap} */
export function withCacheable(load) {
  const cacheable = new Cacheable({
    tags: true,
    primary: createKeyv({ lruSize: MAX_ITEMS, useClone: false }),
  })
  return async (id) => {
    const key = keyOf(id)
    const found = await cacheable.get(key)
    if (found !== undefined) return found
    const book = await load(id)
    await cacheable.set(key, book, { ttl: TTL_MS, tags: tagsOf(id) })
    return book
  }
}

/** Cacheable without tags, as its documentation wraps functions: one computation for callers at the same time. @type {Wrap} */
export function withCacheableUntagged(load) {
  const cacheable = new Cacheable({ primary: createKeyv({ lruSize: MAX_ITEMS, useClone: false }) })
  return (id) => cacheable.getOrSet(keyOf(id), () => load(id), { ttl: TTL_MS })
}

/** Has no tags. @type {Wrap} */
export function withCacheManager(load) {
  const manager = createCache({ stores: [createKeyv({ lruSize: MAX_ITEMS, useClone: false })] })
  return (id) => manager.wrap(keyOf(id), () => load(id), TTL_MS)
}

/** Has no tags. @type {Wrap} */
export function withCachified(load) {
  const entries = new LRUCache({ max: MAX_ITEMS })
  const cache = {
    get: (key) => entries.get(key),
    set: (key, value) => {
      const ttl = totalTtl(value?.metadata)
      return entries.set(key, value, {
        ttl: ttl === Infinity ? undefined : ttl,
        start: value?.metadata?.createdTime,
      })
    },
    delete: (key) => entries.delete(key),
  }
  return (id) => cachified({ key: keyOf(id), cache, ttl: TTL_MS, getFreshValue: () => load(id) })
}
