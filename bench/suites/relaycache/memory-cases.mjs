import { ours } from '../../lib/ours.mjs'
import { collectGarbage } from '../../lib/sampling.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { bookOf, tagsOf } from './books.mjs'

const { cache, InMemoryCache } = await ours('relaycache')

const KEYS = 1_000_000
const MAX_ITEMS = 10_000

export const memoryCases = [
  defineCase({
    id: 'distinct-keys-with-a-bound',
    unit: 'MiB',
    metrics: {
      'heap growth from 10 % to 100 %': {
        times: 1,
        setup: () => {
          const backend = new InMemoryCache({ maxItems: MAX_ITEMS })
          const getBook = cache({ ttl: '1h', backend, key: 'book', tags: tagsOf }, async (id) => bookOf(id))
          return { backend, getBook }
        },
        measure: async ({ backend, getBook }) => {
          await ask(getBook, 0, KEYS / 10)
          const early = heapMiB()
          await ask(getBook, KEYS / 10, KEYS)
          const growth = heapMiB() - early
          const { totalKeys, misses } = await backend.stats()
          if (totalKeys !== MAX_ITEMS || misses !== KEYS)
            throw new Error(`${totalKeys} keys, ${misses} misses`)
          return growth
        },
      },
    },
    limits: [{ metric: 'heap growth from 10 % to 100 %', op: '<=', value: 16, unit: 'MiB' }],
  }),
]

/** Asks for books that nobody has asked for, a hundred at a time. */
async function ask(getBook, from, to) {
  for (let id = from; id < to; id += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, offset) => getBook(id + offset)))
  }
}

/** Of this thread, buffers included. */
function heapMiB() {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}
