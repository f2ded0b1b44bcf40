import { setTimeout as delay } from 'node:timers/promises'
import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { tagsOf } from './books.mjs'
import { withBentocache, withCacheableUntagged, withCacheManager, withCachified } from './memory-peers.mjs'
import { openOurs } from './redis-hit-cases.mjs'
import { openBentocache, openCacheable, openCacheManager } from './redis-peers.mjs'
import { sharedServer } from './redis-server.mjs'

const { cache, InMemoryCache } = await ours('relaycache')

const CALLERS = 1000
const WORK_MS = 20

const { open, close } = sharedServer()

/** In memory: nothing to open. */
const inMemory = (wrap) => ({ setup: () => stampeding(wrap), measure: (stampede) => stampede() })

const inRedis = (openContender) => ({
  setup: async () => {
    const opened = await openContender(await open())
    return { ...opened, stampede: stampeding(opened.wrap) }
  },
  measure: ({ stampede }) => stampede(),
  teardown: async (opened) => {
    await opened.close()
    await close()
  },
})

/** Lets many callers at once ask for a value that nobody has asked for before; counts how often it is computed. */
function stampeding(wrap) {
  let computed = 0
  let latest = 0
  const get = wrap(async (id) => {
    computed += 1
    await delay(WORK_MS)
    return { id }
  })
  return async () => {
    computed = 0
    latest += 1
    const id = latest
    const values = await Promise.all(Array.from({ length: CALLERS }, () => get(id)))
    if (values.some((value) => value.id !== id)) throw new Error('A caller got another value')
    return computed
  }
}

const withOurs = (load) => cache({ ttl: '1h', backend: new InMemoryCache(), key: 'book', tags: tagsOf }, load)

const exactlyOnce = [{ metric: 'ours', op: '==', value: 1, unit: 'calls' }]

export const stampedeCases = [
  defineCase({
    id: 'stampede-memory',
    unit: 'calls',
    pairs: 7,
    ours: inMemory(withOurs),
    peers: {
      bentocache: inMemory(withBentocache),
      cacheable: inMemory(withCacheableUntagged),
      'cache-manager': inMemory(withCacheManager),
      cachified: inMemory(withCachified),
    },
    limits: exactlyOnce,
  }),
  defineCase({
    id: 'stampede-redis',
    unit: 'calls',
    pairs: 7,
    ours: inRedis(openOurs),
    peers: {
      bentocache: inRedis(openBentocache),
      cacheable: inRedis(openCacheable),
      'cache-manager': inRedis(openCacheManager),
    },
    limits: exactlyOnce,
  }),
]
