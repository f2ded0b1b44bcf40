import { fork } from 'node:child_process'
import { once } from 'node:events'
import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { tagsOf } from './books.mjs'
import { withBentocache, withCacheableUntagged, withCacheManager, withCachified } from './memory-peers.mjs'
import { openOurs } from './redis-hit-cases.mjs'
import { openBentocache, openCacheable, openCacheManager } from './redis-peers.mjs'
import { sharedServer } from './redis-server.mjs'
import { stampeding } from './stampeding.mjs'

const { cache, InMemoryCache } = await ours('relaycache')

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

/** The same over two processes, each with as many callers. */
const inProcesses = (contender) => ({
  setup: async () => {
    const server = await open()
    const children = await Promise.all([server, server].map(({ port }) => start(contender, port)))
    return { children }
  },
  measure: async ({ children }) => {
    const computed = await Promise.all(children.map((child) => ask(child)))
    return computed.reduce((sum, count) => sum + count, 0)
  },
  teardown: async ({ children }) => {
    for (const child of children) child.kill()
    await close()
  },
})

async function start(contender, port) {
  const child = fork(new URL('stampede-process.mjs', import.meta.url), [contender, String(port)])
  await once(child, 'message')
  return child
}

/** Has a process run its callers; resolves to how often it computed. */
async function ask(child) {
  child.send('go')
  const [computed] = await once(child, 'message')
  return computed
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
  defineCase({
    id: 'stampede-redis-2-processes',
    unit: 'calls',
    pairs: 7,
    ours: inProcesses('ours'),
    peers: {
      bentocache: inProcesses('bentocache'),
      cacheable: inProcesses('cacheable'),
      'cache-manager': inProcesses('cache-manager'),
    },
    limits: exactlyOnce,
  }),
]
