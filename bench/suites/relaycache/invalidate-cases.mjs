import { performance } from 'node:perf_hooks'
import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { connect, sharedServer } from './redis-server.mjs'

const { RedisCache } = await ours('relaycache/redis')

const TIMES = 200
const { open, close } = sharedServer()

async function openBackend() {
  const client = await connect(await open())
  return { client, backend: new RedisCache(client, { deadline: '10s', invalidateDeadline: '10s' }) }
}

async function closeBackend({ client }) {
  client.disconnect()
  await close()
}

/** Mean duration of calls that are made one after the other, each after an untimed preparation. */
async function meanUs(prepare, call) {
  let elapsedMs = 0
  for (let count = 0; count < TIMES; count += 1) {
    await prepare()
    const start = performance.now()
    await call()
    elapsedMs += performance.now() - start
  }
  return (elapsedMs / TIMES) * 1e3
}

/** Invalidates a tag that this many stored values have. */
const invalidating = (keys) => ({
  setup: async () => {
    const { client, backend } = await openBackend()
    const tag = `tag of ${keys}`
    for (let done = 0; done < keys; done += 1000) {
      const some = Array.from({ length: Math.min(1000, keys - done) }, (_, index) => `${tag}:${done + index}`)
      await Promise.all(some.map((key) => backend.set(key, 1, { ttl: '1h', tags: [tag] })))
    }
    // The tag's key as it is now makes all its values valid again.
    const tagKey = `relaycache:meta:t:${tag}`
    const token = await client.getBuffer(tagKey)
    const revive = () => client.set(tagKey, token, 'PX', 3_600_000)
    const last = () => backend.has(`${tag}:${keys - 1}`)
    const hitBefore = await last()
    await backend.invalidateTags([tag])
    const hitAfter = await last()
    await revive()
    if (!hitBefore || hitAfter || !(await last())) throw new Error(`${tag}: not invalidated, or not revived`)
    return { client, backend, tag, revive }
  },
  measure: ({ backend, tag, revive }) => meanUs(revive, () => backend.invalidateTags([tag])),
  teardown: closeBackend,
})

/** One command that writes, and its reply: no invalidation that waits for Redis can take less. */
const setting = {
  setup: openBackend,
  measure: ({ client }) => {
    const set = () => client.set('round trip', 'x', 'PX', 3_600_000)
    return meanUs(set, set)
  },
  teardown: closeBackend,
}

export const invalidateCases = [
  defineCase({
    id: 'invalidate-tag',
    unit: 'µs',
    ours: invalidating(100_000),
    peers: { 'ours, 1 key': invalidating(1), 'ours, 10 000 keys': invalidating(10_000) },
    limit: { 'one SET': setting },
    // Flat: within 25 % of a tag with one value.
    floor: { 'ours, 1 key': 0.8, 'ours, 10 000 keys': 0.8, 'limit: one SET': 0.5 },
    stretch: { 'limit: one SET': 0.9 },
  }),
]
