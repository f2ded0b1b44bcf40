import { describeWith } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { cache } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import { useRedis } from './use-redis.ts'

const MINUTE_MS = 60_000

describeWith('redis', 'Keys in Redis', () => {
  const server = useRedis()
  let client: Redis
  beforeEach(async () => {
    ;({ client } = server)
    await client.flushall()
    vi.useFakeTimers({ toFake: ['performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const open = () => new RedisCache(client, { deadline: '10s' })

  /** Lets time pass, here and in Redis. */
  async function pass(ms: number): Promise<void> {
    vi.advanceTimersByTime(ms)
    for (const key of await client.keys('*')) await client.pexpire(key, (await client.pttl(key)) - ms)
  }

  const lifeOfTag = async () => client.pttl('relaycache:meta:t:t')

  it('of tags expire no earlier than an entry whose function took long', async () => {
    let takesMs = 0
    const get = cache({ ttl: '10m', backend: open(), tags: ['t'], key: 'f' }, async (_id: number) => {
      await pass(takesMs)
      return 1
    })
    await get(1)
    // Just as long as an entry needs that is stored now.
    await pass((await lifeOfTag()) - 10 * MINUTE_MS - 1000)
    takesMs = 5 * MINUTE_MS
    await get(2)
    const life = await client.pttl(`relaycache:{${get.keyOf(2)}}`)
    expect(life).toBeGreaterThan(0)
    expect(await lifeOfTag()).toBeGreaterThanOrEqual(life)
    expect((await get.lookup(2)).status).toBe('hit')
  })

  it('of tags live as long as a function that takes half a minute, whatever its ttl', async () => {
    let takesMs = 0
    const get = cache({ ttl: '1s', backend: open(), tags: ['t'], key: 'f' }, async (_id: number) => {
      await pass(takesMs)
      return 1
    })
    await get(1)
    await pass((await lifeOfTag()) - MINUTE_MS / 2 + 1000)
    takesMs = MINUTE_MS / 2
    await get(2)
    expect((await get.lookup(2)).status).toBe('hit')
  })

  it('do not let a value be stored whose tag was invalidated while its function took long', async () => {
    const elsewhere = open()
    let takesMs = 0
    const get = cache({ ttl: '10m', backend: open(), tags: ['t'], key: 'f' }, async (_id: number) => {
      await pass(takesMs)
      if (takesMs > 0) await elsewhere.invalidateTags(['t'])
      return 1
    })
    await get(1)
    await pass((await lifeOfTag()) - 10 * MINUTE_MS - 1000)
    takesMs = 5 * MINUTE_MS
    await get(2)
    // Only the token of a value.
    expect(await client.strlen(`relaycache:{${get.keyOf(2)}}`)).toBe(28)
  })

  it('of tags never expire sooner for an entry with a shorter ttl', async () => {
    await open().set('long', 1, { ttl: '1h', tags: ['t'] })
    await open().set('short', 1, { ttl: '10m', tags: ['t'] })
    expect(await lifeOfTag()).toBeGreaterThanOrEqual(await client.pttl('relaycache:{long}'))
  })

  it('keep an error for its errorTtl', async () => {
    let runs = 0
    const get = cache({ ttl: '5s', errorTtl: '30m', backend: open(), tags: ['t'], key: 'f' }, async () => {
      runs += 1
      throw new Error(`failure ${runs}`)
    })
    await expect(get()).rejects.toThrow('failure 1')
    await pass(29 * MINUTE_MS)
    await expect(get()).rejects.toThrow('failure 1')
  })
})
