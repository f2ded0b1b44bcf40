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

/** Writes copies of the value at KEYS[1]: each is an entry as valid as that one. ARGV: its key's ends, from, to. */
const COPY = `
local blob = redis.call('GET', KEYS[1])
for number = ARGV[3], ARGV[4] do
  redis.call('SET', ARGV[1] .. number .. ARGV[2], blob, 'PX', 3600000)
end`

/** Invalidates a tag that this many stored values have. */
const invalidating = (keys) => ({
  setup: async () => {
    const { client, backend } = await openBackend()
    const tag = `tag of ${keys}`
    await backend.set(`${tag}:0`, 1, { ttl: '1h', tags: [tag] })
    for (let from = 1; from < keys; from += 50_000) {
      const to = Math.min(from + 50_000, keys) - 1
      await client.eval(COPY, 1, `relaycache:{${tag}:0}`, `relaycache:{${tag}:`, '}', from, to)
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
    ours: invalidating(1_000_000),
    peers: { 'ours, 1 key': invalidating(1), 'ours, 100 000 keys': invalidating(100_000) },
    limit: { 'one SET': setting },
    // Flat: within 25 % of a tag with one value.
    floor: { 'ours, 1 key': 0.8, 'ours, 100 000 keys': 0.8, 'limit: one SET': 0.5 },
    stretch: { 'limit: one SET': 0.9 },
  }),
]
