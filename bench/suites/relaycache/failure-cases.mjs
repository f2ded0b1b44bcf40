import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { bookOf, tagsOf } from './books.mjs'
import { connect, startServer } from './redis-server.mjs'

const { cache } = await ours('relaycache')
const { RedisCache } = await ours('relaycache/redis')

const DEADLINE_MS = 50
/** A timer fires late, and then the event loop gets one more turn. */
const SLACK_MS = 10
const LATER_CALLS = 500

/** A Redis that answers until `before` of a sample, and hangs from there on. */
const hanging = {
  times: 7,
  setup: async () => {
    const server = await startServer()
    const client = await connect(server)
    const backend = new RedisCache(client, { deadline: `${DEADLINE_MS}ms`, onError: () => {} })
    const getBook = cache({ ttl: '1h', backend, tags: tagsOf }, async function getBook(id) {
      return bookOf(id)
    })
    return { server, client, backend, getBook }
  },
  before: async ({ server, getBook }) => {
    await server.kill('SIGCONT')
    while ((await getBook.lookup(1)).status !== 'hit') await delay(10)
    await server.kill('SIGSTOP')
  },
  teardown: async ({ server, client }) => {
    client.disconnect()
    await server.kill('SIGCONT')
    await server.stop()
  },
}

export const failureCases = [
  defineCase({
    id: 'redis-hangs',
    unit: 'ms',
    metrics: {
      'first call': { ...hanging, measure: ({ getBook }) => elapsedMs(() => getBook(1)) },
      // Asked for within the second in which the breaker is open.
      'p99 of the calls after it': {
        ...hanging,
        measure: async ({ backend, getBook }) => {
          await getBook(1)
          const durations = []
          for (let count = 0; count < LATER_CALLS; count += 1)
            durations.push(await elapsedMs(() => getBook(1)))
          const { breaker } = await backend.stats()
          if (breaker !== 'open') throw new Error(`Expected an open breaker, got ${breaker}`)
          return durations.toSorted((a, b) => a - b)[Math.floor(LATER_CALLS * 0.99)]
        },
      },
    },
    limits: [
      { metric: 'first call', op: '<=', value: DEADLINE_MS + SLACK_MS, unit: 'ms' },
      { metric: 'p99 of the calls after it', op: '<=', value: 0.2, unit: 'ms' },
    ],
  }),
]

async function elapsedMs(call) {
  const start = performance.now()
  await call()
  return performance.now() - start
}
