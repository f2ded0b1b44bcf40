import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { AT_ONCE, inHundreds } from '../sqlite-worker/concurrency.mjs'
import { filledCache, idOf, keyOf, tagsOf } from './books.mjs'
import { openBentocache } from './redis-peers.mjs'
import { connect, sharedServer } from './redis-server.mjs'

const { cache } = await ours('relaycache')
const { RedisCache } = await ours('relaycache/redis')

const { open, close } = sharedServer()

export async function openOurs(server) {
  const client = await connect(server)
  // A busy machine must not turn hits into misses.
  const backend = new RedisCache(client, { deadline: '10s' })
  return {
    wrap: (load) => cache({ ttl: '1h', backend, key: 'book', tags: tagsOf }, load),
    close: () => client.disconnect(),
  }
}

/** What is left when nothing is validated: one GET a call, put together by the client. */
async function openRaw(server) {
  const client = await connect(server, { enableAutoPipelining: true, keyPrefix: 'raw:' })
  return {
    wrap: (load) => async (id) => {
      const found = await client.get(keyOf(id))
      if (found !== null) return JSON.parse(found)
      const book = await load(id)
      await client.set(keyOf(id), JSON.stringify(book), 'EX', 3600)
      return book
    },
    close: () => client.disconnect(),
  }
}

/** A hundred callers at a time, each with another book. */
const hitting = (openContender) => ({
  setup: async () => {
    const opened = await openContender(await open())
    return { ...opened, getBook: await filledCache(opened.wrap) }
  },
  run: async (operations, { getBook }) => {
    let sum = 0
    await inHundreds(operations, async (index) => {
      sum += (await getBook(idOf(index))).year
    })
    return sum
  },
  teardown: async (opened) => {
    await opened.close()
    await close()
  },
})

export const redisHitCases = [
  defineCase({
    id: 'redis-hit-2-tags',
    unit: 'op/s',
    step: AT_ONCE,
    ours: hitting(openOurs),
    peers: { bentocache: hitting(openBentocache) },
    limit: { 'autopipelined GET + parse': hitting(openRaw) },
    floor: { bentocache: 5, 'limit: autopipelined GET + parse': 1 },
  }),
]
