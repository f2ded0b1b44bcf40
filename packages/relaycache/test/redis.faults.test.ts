import { describeWith, eventually, startTcpProxy } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { beforeEach, expect, it } from 'vitest'
import { cache, invalidate } from '../src/index.ts'
import type { RedisCacheOptions } from '../src/redis/index.ts'
import { enterShop, isConfirmed, openShop, type Shop } from './book-shop.ts'
import { latch } from './latch.ts'
import { Random } from './random.ts'
import type { ClientOptions } from './redis-clients.ts'
import { replicate } from './replicate.ts'
import { useRedisForEach } from './use-redis.ts'

const ROUNDS = process.env['OUTRIDER_FAULTS'] === '1' ? 200 : 30
const limits = { timeout: 30_000 + 500 * ROUNDS }

describeWith('redis', 'values in RedisCache', () => {
  const server = useRedisForEach()
  const second = useRedisForEach()
  let shop: Shop
  beforeEach(() => {
    shop = openShop()
  })

  async function enter(port: number, options: RedisCacheOptions = {}, clientOptions: ClientOptions = {}) {
    return enterShop(shop, await server.open(clientOptions, port), options)
  }

  const losses: [string, (admin: Redis) => Promise<unknown>][] = [
    ['was killed and came back empty', () => server.redis.restart()],
    ['was emptied by FLUSHALL', (admin) => admin.flushall()],
  ]
  it.each(losses)('are not replaced by one whose computation began before Redis %s', async (_, lose) => {
    const here = await enter(server.redis.port)
    const elsewhere = await enter(server.redis.port)
    await here.getBook(1)
    await here.getBook.invalidate(1)
    const go = latch()
    shop.hold = go.opened
    const older = here.getBook(1)
    await eventually(() => shop.computed === 2)

    await lose(here.client)
    shop.title = 'Emma'
    shop.hold = undefined
    await eventually(async () => {
      expect(await elsewhere.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
    })
    await eventually(() => here.client.status === 'ready')
    go.open()
    expect(await older).toBe('Dune')
    expect(await elsewhere.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
    expect(await here.getBook(1)).toBe('Emma')
  })

  it('are all gone after a restart, and not those from before it come back', async () => {
    const { client, getBook, backend } = await enter(server.redis.port)
    await Promise.all([1, 2, 3].map((id) => getBook(id)))
    await server.redis.restart()
    await eventually(() => client.status === 'ready')
    shop.title = 'Emma'
    for (const id of [1, 2, 3]) expect(await getBook(id)).toBe('Emma')
    expect(await invalidate({ tags: ['books'], backend })).toEqual({ tags: ['books'], confirmed: true })
  })

  it('are not served from a write that a frozen Redis executes late', async () => {
    const here = await enter(server.redis.port, { deadline: '100ms' })
    const elsewhere = await enter(server.redis.port)
    const go = latch()
    shop.hold = go.opened
    const older = here.getBook(1)
    await eventually(() => shop.computed === 1)

    await server.redis.kill('SIGSTOP')
    go.open()
    expect(await older).toBe('Dune')
    expect(here.errors.map(({ code }) => code)).toEqual(['RELAYCACHE_DEADLINE_EXCEEDED'])
    shop.title = 'Emma'
    const invalidated = invalidate({ tags: ['books'], backend: elsewhere.backend })
    await server.redis.kill('SIGCONT')
    expect(await invalidated).toEqual({ tags: ['books'], confirmed: true })
    expect((await elsewhere.getBook.lookup(1)).value).toBe('Emma')
    await eventually(async () => {
      expect(await here.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
    })
  })

  it('are shared over a slow line, and never older than an invalidation elsewhere', limits, async () => {
    await using proxy = await startTcpProxy(server.redis, { latencyMs: 10 })
    const near = await enter(server.redis.port)
    const far = await enter(proxy.port)
    await near.getBook(1)
    expect(await far.getBook.lookup(1)).toEqual({ value: 'Dune', status: 'hit' })
    for (let edition = 1; edition <= ROUNDS; edition += 1) {
      const before = shop.title
      const underway = far.getBook(1)
      shop.title = `Dune, edition ${edition}`
      await invalidate({ tags: ['books'], backend: near.backend })
      expect(await far.getBook(1)).toBe(shop.title)
      expect([before, shop.title]).toContain(await underway)
    }
    expect(far.errors).toEqual([])
  })

  it('are computed while a line is slower than the deadline, and served once it is fast again', async () => {
    await using proxy = await startTcpProxy(server.redis)
    const { getBook, errors } = await enter(proxy.port, { deadline: '200ms' })
    await eventually(async () => expect((await getBook.lookup(1)).status).toBe('hit'))
    errors.length = 0
    proxy.setLatency(1000)
    expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'miss' })
    expect(errors.map(({ code }) => code)).toEqual(['RELAYCACHE_DEADLINE_EXCEEDED'])
    proxy.setLatency(0)
    await eventually(async () => {
      expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'hit' })
    })
  })

  it.each(['reset by the line', 'killed by Redis'])(
    'are not served after an invalidation whose connection is %s',
    limits,
    async (how) => {
      await using proxy = await startTcpProxy(server.redis)
      const writer = await enter(proxy.port)
      const elsewhere = await enter(server.redis.port)
      let confirmed = 0
      for (let edition = 1; edition <= ROUNDS; edition += 1) {
        await eventually(async () => {
          expect(await elsewhere.getBook.lookup(1)).toEqual({ value: shop.title, status: 'hit' })
          expect(writer.client.status).toBe('ready')
        })
        const id = await writer.client.client('ID')
        shop.title = `Dune, edition ${edition}`
        const invalidated = isConfirmed(invalidate({ tags: ['books'], backend: writer.backend }))
        if (how === 'reset by the line') proxy.cut()
        else await elsewhere.client.client('KILL', 'ID', id)
        if (await invalidated) {
          confirmed += 1
          expect(await elsewhere.getBook(1)).toBe(shop.title)
        }
        expect(await writer.getBook(1)).toBe(shop.title)
        // Sent again until it is confirmed.
        await eventually(async () => expect(await elsewhere.getBook(1)).toBe(shop.title))
      }
      expect(confirmed).toBeGreaterThan(0)
    },
  )

  it('survive SCRIPT FLUSH, and so does storing them', async () => {
    const { client, getBook, errors } = await enter(server.redis.port)
    await getBook(1)
    await client.script('FLUSH')
    expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'hit' })
    shop.title = 'Emma'
    await getBook.invalidate(1)
    expect(await getBook.lookup(1)).toEqual({ value: 'Emma', status: 'miss' })
    await client.script('FLUSH')
    expect(await getBook.refresh(1)).toBe('Emma')
    expect(await getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
    expect(errors).toEqual([])
  })

  it('are given but not stored when Redis runs out of memory during the computation', async () => {
    const { client, getBook, errors } = await enter(server.redis.port)
    await getBook(2)
    const go = latch()
    shop.hold = go.opened
    const computed = getBook.lookup(1)
    await eventually(() => shop.computed === 2)
    await client.config('SET', 'maxmemory', '1')
    go.open()
    expect(await computed).toEqual({ value: 'Dune', status: 'miss' })
    expect(errors.map(({ code }) => code)).toEqual(['RELAYCACHE_BACKEND_FAILED'])
    expect(await getBook.peek(1)).toEqual({ hit: false })
    expect(await getBook.lookup(2)).toEqual({ value: 'Dune', status: 'hit' })
    await client.config('SET', 'maxmemory', '0')
    expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'miss' })
    expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'hit' })
  })

  it('are correct while Redis evicts keys by allkeys-lru', limits, async () => {
    const { client, backend } = await enter(server.redis.port)
    await client.config('SET', 'maxmemory', '3mb')
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const random = new Random()
    const versions = Array.from({ length: 1500 }, () => 0)
    const padding = 'x'.repeat(2000)
    const get = cache(
      { ttl: 60, backend, tags: (id: number) => [`id:${id}`, `group:${id % 10}`] },
      async function get(id: number) {
        return { version: versions[id], padding }
      },
    )
    const evicted = async () => Number(/evicted_keys:(\d+)/.exec(await client.info('stats'))?.[1])
    let hits = 0
    for (let round = 0; round < ROUNDS || (await evicted()) < 100; round += 1) {
      const ids = Array.from({ length: 50 }, () => random.below(versions.length))
      const seen = await Promise.all(ids.map((id) => get.lookup(id)))
      for (const [index, id] of ids.entries()) {
        expect(seen[index]?.value.version, `OUTRIDER_SEED=${random.seed}`).toBe(versions[id])
      }
      hits += seen.filter(({ status }) => status === 'hit').length
      const group = random.below(10)
      for (let id = group; id < versions.length; id += 10) versions[id] = round
      await invalidate({ tags: [`group:${group}`], backend })
    }
    expect(hits).toBeGreaterThan(0)
  })

  it('are kept apart by the keyPrefix of the client, and so are their invalidations', async () => {
    const one = await enter(server.redis.port, {}, { keyPrefix: 'one:' })
    const two = await enter(server.redis.port, {}, { keyPrefix: 'two:' })
    await one.getBook(1)
    shop.title = 'Emma'
    expect(await two.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'miss' })
    expect(await one.getBook.lookup(1)).toEqual({ value: 'Dune', status: 'hit' })
    await invalidate({ tags: ['books'], backend: one.backend })
    expect(await one.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'miss' })
    expect(await two.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
    const prefixes = new Set((await server.client.keys('*')).map((key) => key.slice(0, 4)))
    expect([...prefixes].toSorted()).toEqual(['one:', 'two:'])
  })

  it('may be stale after a promoted replica lost an invalidation, until their ttl is over or the next one', async () => {
    const { client, backend, getBook } = await enter(server.redis.port)
    const replica = await enter(second.redis.port)
    await client.config('SET', 'repl-diskless-sync-delay', '0')
    await replicate(replica.client, server.redis)
    await getBook(1)
    await getBook(2)
    expect(await client.wait(1, 10_000)).toBe(1)
    await replica.client.replicaof('NO', 'ONE')
    shop.title = 'Emma'
    expect(await invalidate({ tags: ['books'], backend })).toEqual({ tags: ['books'], confirmed: true })
    expect(await getBook.lookup(1)).toEqual({ value: 'Emma', status: 'miss' })
    await server.redis.kill('SIGKILL')

    expect(await replica.getBook.lookup(1)).toEqual({ value: 'Dune', status: 'hit' })
    const key = `relaycache:{${getBook.keyOf(1)}}`
    const leftMs = await replica.client.pttl(key)
    expect(leftMs).toBeGreaterThan(0)
    expect(leftMs).toBeLessThanOrEqual(60_000)
    await replica.client.pexpire(key, 1)
    await eventually(async () => expect((await replica.getBook.lookup(1)).value).toBe('Emma'))
    expect(await replica.getBook.lookup(2)).toEqual({ value: 'Dune', status: 'hit' })
    await invalidate({ tags: ['books'], backend: replica.backend })
    expect(await replica.getBook.lookup(2)).toEqual({ value: 'Emma', status: 'miss' })
  })
})
