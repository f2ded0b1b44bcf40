import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { AT_ONCE, inHundreds } from '../sqlite-worker/concurrency.mjs'
import { bookOf, keyOf, tagsOf } from './books.mjs'
import { connect, sharedServer } from './redis-server.mjs'

const { cache, InMemoryCache } = await ours('relaycache')
const { RedisCache, TieredCache } = await ours('relaycache/redis')

/** Another one for each caller: what several ask for at once, ours would read once for all. */
const VALUES = AT_ONCE
const { open, close } = sharedServer()

/** Some 100 kB of JSON. */
const shelfOf = (id) => ({ id, books: Array.from({ length: 300 }, (_, index) => bookOf(1000 * id + index)) })

/** Asks a hundred at a time for values that are there. */
const hitting = (openContender) => ({
  setup: async () => {
    const client = await connect(await open())
    const getShelf = await openContender(client)
    return { client, getShelf }
  },
  run: async (operations, { getShelf }) => {
    let sum = 0
    await inHundreds(operations, async (index) => {
      const { books } = await getShelf(index % VALUES)
      sum += books.length
    })
    if (sum !== 300 * operations)
      throw new Error(`Expected 300 books in each of ${operations} values, got ${sum}`)
  },
  teardown: async ({ client }) => {
    client.disconnect()
    await close()
  },
})

async function openTiered(client) {
  const backend = new TieredCache({
    l1: new InMemoryCache(),
    l2: new RedisCache(client, { deadline: '10s' }),
  })
  const getShelf = cache({ ttl: '1h', backend, key: 'shelf', tags: tagsOf }, async (id) => shelfOf(id))
  for (let id = 0; id < VALUES; id += 1) await getShelf(id)
  return getShelf
}

/** What is left when nothing is validated and nothing is kept. */
async function openRaw(client) {
  for (let id = 0; id < VALUES; id += 1) await client.set(keyOf(id), JSON.stringify(shelfOf(id)), 'EX', 3600)
  return async (id) => JSON.parse(await client.get(keyOf(id)))
}

export const tieredCases = [
  defineCase({
    id: 'validated-hit-100-kB',
    unit: 'op/s',
    step: AT_ONCE,
    ours: hitting(openTiered),
    peers: { 'raw GET + parse': hitting(openRaw) },
    floor: { 'raw GET + parse': 8 },
  }),
]
