import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { BOOKS, bookOf, filledCache, idOf, keyOf, tagsOf } from './books.mjs'
import { withBentocache, withCacheable, withCacheManager, withCachified } from './memory-peers.mjs'

const { cache, InMemoryCache } = await ours('relaycache')

const withOurs = (load) => cache({ ttl: '1h', backend: new InMemoryCache(), key: 'book', tags: tagsOf }, load)

/** One call after the other, each awaited. */
const hitting = (wrap) => ({
  setup: () => filledCache(wrap),
  run: async (operations, getBook) => {
    let sum = 0
    for (let index = 0; index < operations; index += 1) sum += (await getBook(idOf(index))).year
    return sum
  },
})

/** A Map that holds every book. */
const gettingFromMap = (keyOf) => ({
  setup: () => new Map(Array.from({ length: BOOKS }, (_, id) => [keyOf(id), bookOf(id)])),
  run: async (operations, books) => {
    let sum = 0
    for (let index = 0; index < operations; index += 1) sum += (await books.get(keyOf(idOf(index)))).year
    return sum
  },
})

export const memoryHitCases = [
  defineCase({
    id: 'memory-hit-2-tags',
    unit: 'ns',
    ours: hitting(withOurs),
    peers: {
      bentocache: hitting(withBentocache),
      cacheable: hitting(withCacheable),
      'cache-manager (no tags)': hitting(withCacheManager),
      'cachified (no tags)': hitting(withCachified),
    },
    limit: {
      // Any cache has to make a key of the argument; the second one, by number, does not even do that.
      'awaited Map.get': gettingFromMap(keyOf),
      'awaited Map.get by id': gettingFromMap((id) => id),
    },
    floor: { bentocache: 20, cacheable: 20, 'limit: awaited Map.get': 0.5 },
    stretch: { 'limit: awaited Map.get by id': 0.5 },
  }),
]
