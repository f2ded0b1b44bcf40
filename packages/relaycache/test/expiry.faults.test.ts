import { setTimeout as delay } from 'node:timers/promises'
import { describeWith, eventually } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { cache, invalidate } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import { useRedisForEach } from './use-redis.ts'

const FULL_SIZE = process.env['OUTRIDER_FAULTS'] === '1'
const KEYS = FULL_SIZE ? 1_000_000 : 20_000
/** Callers at a time. */
const AT_ONCE = 200
/** The key of a tag lives as long at least, and as long at most for values that live a second. */
const LIFE_MS = 60_000
const MIB = 2 ** 20

describeWith('redis', 'values that nobody asks for any more', () => {
  const server = useRedisForEach()

  it('leave nothing in Redis, nor do their tags', { timeout: 60_000 + KEYS }, async () => {
    const client = await server.open()
    const backend = new RedisCache(client, { deadline: '30s', invalidateDeadline: '30s' })
    const getBook = cache(
      {
        ttl: '1s',
        backend,
        tags: (id: number) => [`book:${id}`, 'books'],
        resultTags: ({ author }) => [author],
      },
      function getBook(id: number) {
        return { id, author: `author:${id % 1000}`, title: 'Dune' }
      },
    )
    const { bytes: startBytes } = await memoryOf(client)
    let largestBytes = startBytes
    for (let from = 0; from < KEYS; from += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, offset) => getBook(from + offset)))
      if (from % 10_000 === 0) {
        await invalidate({ tags: [`book:${from}`, `author:${from % 1000}`], backend })
        largestBytes = Math.max(largestBytes, (await memoryOf(client)).bytes)
      }
    }
    expect(largestBytes).toBeGreaterThan(startBytes + 2 * MIB)
    expect(await longestLifeMs(client)).toBeLessThanOrEqual(LIFE_MS)
    if (FULL_SIZE) await delay(LIFE_MS)
    else await letTimePass(client)
    await eventually(
      async () => {
        const { keys, bytes } = await memoryOf(client)
        expect(keys).toBe(0)
        expect(bytes).toBeLessThan(startBytes + MIB)
      },
      { timeoutMs: 30_000 },
    )
  })
})

async function memoryOf(client: Redis): Promise<{ keys: number; bytes: number }> {
  const bytes = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
  return { keys: await client.dbsize(), bytes }
}

/** Of all keys; infinite when one has no end. */
async function longestLifeMs(client: Redis): Promise<number> {
  let longest = 0
  await forEachKeys(client, async (keys) => {
    const lives = (await client.pipeline(keys.map((key) => ['pttl', key])).exec()) ?? []
    for (const [, ms] of lives) longest = Math.max(longest, ms === -1 ? Infinity : Number(ms))
  })
  return longest
}

/** In place of the time that is left to the keys. */
async function letTimePass(client: Redis): Promise<void> {
  await forEachKeys(client, (keys) => client.pipeline(keys.map((key) => ['pexpire', key, '1'])).exec())
}

async function forEachKeys(client: Redis, act: (keys: string[]) => Promise<unknown>): Promise<void> {
  for await (const keys of client.scanStream({ count: 1000 })) await act(keys as string[])
}
