import { describeWith, eventually } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { beforeEach, describe, expect, it } from 'vitest'
import { cache, InMemoryCache, invalidate, type CacheOptions } from '../src/index.ts'
import { RedisCache, TieredCache } from '../src/redis/index.ts'
import { latch } from './latch.ts'
import { connectCluster } from './redis-clients.ts'
import { isLocal, openBus, untilTrusted } from './trusted.ts'
import { useRedis, useRedisCluster } from './use-redis.ts'

describeWith('redis', "TieredCache with mode 'bus'", () => {
  const server = useRedis()
  let client: Redis
  let secondClient: Redis
  beforeEach(async () => {
    client = server.client
    secondClient = await server.open()
    await client.flushall()
  })

  /** Two processes with one function that counts its runs; what is here holds its value. */
  async function openTwo(options: Partial<CacheOptions<[], number>> = {}) {
    const runs = { computed: 0 }
    const compute = async () => (runs.computed += 1)
    const all = { ttl: 60, key: 'getBook', tags: ['books'], ...options }
    const backend = await openBus(client)
    const other = new RedisCache(secondClient, { deadline: '10s' })
    const here = cache({ ...all, backend }, compute)
    const there = cache({ ...all, backend: other }, compute)
    await here()
    expect(await isLocal(backend, here.keyOf())).toBe(true)
    return { here, there, backend, other, runs }
  }

  it('serves what it holds without sending anything', async () => {
    const { here, backend } = await openTwo()
    const sent: string[] = []
    const send = client.sendCommand.bind(client)
    client.sendCommand = (command, ...rest) => {
      sent.push(command.name)
      return send(command, ...rest)
    }
    for (let time = 0; time < 100; time += 1) expect(await here.lookup()).toEqual({ value: 1, status: 'hit' })
    client.sendCommand = send
    expect(sent.filter((name) => name !== 'publish' && name !== 'get')).toEqual([])
    expect((await backend.stats()).l1.hits).toBeGreaterThan(100)
  })

  it('serves what it read once of what another process stored', async () => {
    const backend = await openBus(client)
    await new RedisCache(secondClient).set('a', { title: 'Dune' }, { tags: ['x'] })
    expect(await backend.get('a')).toEqual({ hit: true, value: { title: 'Dune' } })
    expect(await isLocal(backend, 'a')).toBe(true)
    expect(await backend.get('a')).toEqual({ hit: true, value: { title: 'Dune' } })
  })

  describe('drops what another process', () => {
    type Two = Awaited<ReturnType<typeof openTwo>>
    const removals: [string, (two: Two) => Promise<unknown>][] = [
      ['invalidated by a tag', ({ other }) => invalidate({ tags: ['books'], backend: other })],
      ['invalidated by its key', ({ there }) => there.invalidate()],
      ['cleared with everything else', ({ other }) => other.clear()],
      ['invalidated softly', ({ other }) => invalidate({ tags: ['books'], soft: true, backend: other })],
      ['set anew', ({ other }) => other.set('getBook()', 10)],
      [
        'set anew after Redis lost it',
        async ({ other }) => {
          await secondClient.unlink('relaycache:{getBook()}')
          await other.set('getBook()', 10)
        },
      ],
      ['refreshed', ({ there }) => there.refresh()],
      ['took away with FLUSHALL', () => secondClient.flushall()],
    ]
    it.each(removals)('%s', async (_, remove) => {
      const two = await openTwo()
      await remove(two)
      await eventually(async () => !(await isLocal(two.backend, two.here.keyOf())))
      expect(await two.here.lookup()).not.toEqual({ value: 1, status: 'hit' })
    })

    it('invalidated while a script cache was emptied', async () => {
      const { here, backend, other } = await openTwo()
      await client.script('FLUSH')
      await invalidate({ tags: ['books'], backend: other })
      await eventually(async () => !(await isLocal(backend, here.keyOf())))
      expect(await here()).toBe(2)
    })
  })

  describe('gives nothing from before as soon as it is called', () => {
    type Two = Awaited<ReturnType<typeof openTwo>>
    const removals: [string, (two: Two) => Promise<unknown>][] = [
      ['invalidate()', ({ backend }) => invalidate({ tags: ['books'], backend })],
      ['invalidate() of one value', ({ here }) => here.invalidate()],
      ['clear()', ({ backend }) => backend.clear()],
      ['delete()', ({ backend }) => backend.delete('getBook()')],
      ['a soft invalidation', ({ backend }) => invalidate({ tags: ['books'], soft: true, backend })],
    ]
    it.each(removals)('%s', async (_, remove) => {
      const two = await openTwo()
      const removed = remove(two)
      expect(two.backend.peek('getBook()', () => [])).toBeInstanceOf(Promise)
      await removed
      expect(await two.here.peek()).toEqual({ hit: false })
      await eventually(async () => {
        await two.here()
        return isLocal(two.backend, 'getBook()')
      })
      expect(await two.here()).toBe(2)
    })
  })

  it('serves the new value of its own set and refresh, and others never the old one', async () => {
    const { here, backend, runs } = await openTwo()
    await backend.set('getBook()', 10, { tags: ['books'] })
    expect(await here()).toBe(10)
    expect(await isLocal(backend, 'getBook()')).toBe(true)
    runs.computed = 20
    await here.refresh()
    expect(await isLocal(backend, 'getBook()')).toBe(true)
    expect(await here.lookup()).toEqual({ value: 21, status: 'hit' })
  })

  it('does not go on serving a value in whose place it stored one that memory cannot hold', async () => {
    const serializer = {
      name: 'pattern',
      encode: (value: unknown) => (value instanceof RegExp ? value.source : 'text'),
      decode: (data: Buffer) => (String(data) === 'text' ? 'text' : new RegExp(data.toString())),
    }
    const onError = () => undefined
    const l2 = new RedisCache(client, { deadline: '10s', serializer })
    const backend = new TieredCache({ mode: 'bus', l1: new InMemoryCache({ onError }), l2 })
    await untilTrusted(backend)
    await backend.set('a', 'text')
    expect(await isLocal(backend, 'a')).toBe(true)
    await backend.set('a', /a+/)
    expect(await backend.get('a')).toEqual({ hit: true, value: /a+/ })
  })

  it('does not keep a value that was read before an invalidation and arrives after it', async () => {
    const backend = await openBus(client)
    const other = new RedisCache(secondClient, { deadline: '10s' })
    const get = cache({ ttl: 60, backend, tags: ['x'] }, async function get() {
      return 'new'
    })
    await other.set(get.keyOf(), 'old', { tags: ['x'] })
    const arrived = latch()
    const go = latch()
    const mget = client.mgetBuffer.bind(client)
    client.mgetBuffer = (async (keys: string[]) => {
      client.mgetBuffer = mget
      const replies = await mget(keys)
      arrived.open()
      await go.opened
      return replies
    }) as typeof mget
    const read = get()
    await arrived.opened
    await other.invalidateTags(['x'])
    await untilHeard(backend, other)
    go.open()
    expect(await read).toBe('old')
    expect(await isLocal(backend, get.keyOf())).toBe(false)
    expect(await get.lookup()).toEqual({ value: 'new', status: 'miss' })
  })

  /** Resolves when all that was announced before has been heard. */
  async function untilHeard(backend: TieredCache, other: RedisCache): Promise<void> {
    await other.set('marker', 1)
    await backend.get('marker')
    expect(await isLocal(backend, 'marker')).toBe(true)
    await other.delete('marker')
    await eventually(async () => !(await isLocal(backend, 'marker')))
  }

  it('does not keep what was invalidated while it was computed', async () => {
    const { here, backend, other } = await openTwo()
    const running = latch()
    const go = latch()
    const slow = cache({ ttl: 60, backend, tags: ['books'], key: 'slow' }, async () => {
      running.open()
      await go.opened
      return 'old'
    })
    const computing = slow()
    await running.opened
    await invalidate({ tags: ['books'], backend: other })
    await eventually(async () => !(await isLocal(backend, here.keyOf())))
    go.open()
    expect(await computing).toBe('old')
    expect(await isLocal(backend, slow.keyOf())).toBe(false)
    expect(await slow.peek()).toEqual({ hit: false })
  })

  it('drops a value with a tag that followed from the result', async () => {
    const { here, backend, other } = await openTwo({ resultTags: (result) => [`run:${result}`] })
    await invalidate({ tags: ['run:1'], backend: other })
    await eventually(async () => !(await isLocal(backend, here.keyOf())))
    expect(await here()).toBe(2)
  })

  /** Resolves when Redis has the value for less than that. */
  async function untilLeft(key: string, ms: number): Promise<void> {
    await eventually(async () => (await secondClient.pttl(`relaycache:{${key}}`)) < ms)
  }

  it('serves a value no longer than Redis has it, whoever stored it', async () => {
    const backend = await openBus(client)
    const other = new RedisCache(secondClient, { deadline: '10s' })
    await other.set('theirs', 1, { ttl: '600ms' })
    await backend.set('ours', 1, { ttl: '600ms' })
    await untilLeft('theirs', 300)
    for (const key of ['theirs', 'ours']) {
      await backend.get(key)
      expect(await isLocal(backend, key)).toBe(true)
    }
    // Redis would have told nobody.
    for (const key of ['theirs', 'ours']) {
      await untilLeft(key, 0)
      expect(await isLocal(backend, key)).toBe(false)
      expect(await backend.get(key)).toEqual({ hit: false })
    }
  })

  it('serves a value no longer than Redis has it, whatever was there when it asked for the ttl', async () => {
    const backend = await openBus(client)
    const other = new RedisCache(secondClient, { deadline: '10s' })
    /** Redis executes it between the two commands of a lookup. */
    const beforeNextRead = (action: () => Promise<unknown>) => {
      const mget = client.mgetBuffer.bind(client)
      client.mgetBuffer = (async (keys: string[]) => {
        client.mgetBuffer = mget
        await action()
        return mget(keys)
      }) as typeof mget
    }
    const go = latch()
    const compute = cache({ ttl: '1h', negativeTtl: '600ms', key: 'compute', backend: other }, async () => {
      await go.opened
      return null
    })
    const computing = compute()
    await eventually(async () => (await client.exists('relaycache:{compute()}')) === 1)
    await other.set('set()', 'old', { ttl: '1h' })
    await untilHeard(backend, other)
    const changes: Record<string, () => Promise<unknown>> = {
      'set()': () => other.set('set()', 'new', { ttl: '600ms' }),
      'compute()': () => {
        go.open()
        return computing
      },
    }
    for (const [key, change] of Object.entries(changes)) {
      beforeNextRead(async () => {
        await change()
        await untilLeft(key, 300)
      })
      expect((await backend.get(key)).hit).toBe(true)
      expect(await isLocal(backend, key)).toBe(true)
      await untilLeft(key, 0)
      expect(await isLocal(backend, key)).toBe(false)
    }
  })

  it('gives the same for a value of its memory as for one of Redis', async () => {
    const { here, backend } = await openTwo({ grace: '1m' })
    expect(await here.peek()).toEqual({ hit: true, value: 1 })
    expect(await backend.get(here.keyOf())).toEqual({ hit: true, value: 1 })
    expect(await isLocal(backend, here.keyOf())).toBe(true)
  })

  it('gives a value past its ttl as stale, and not as a hit', async () => {
    const backend = await openBus(client)
    let run = 0
    const get = cache(
      { ttl: '200ms', grace: '1m', staleWhileRevalidate: true, backend },
      async function get() {
        return (run += 1)
      },
    )
    await get()
    expect(await isLocal(backend, get.keyOf())).toBe(true)
    await eventually(async () => !(await isLocal(backend, get.keyOf())))
    expect(await get.lookup()).toEqual({ value: 1, status: 'stale' })
    await eventually(async () => (await get()) > 1)
  })

  it('leaves the cache aside in a call that bypasses it', async () => {
    const { runs, backend } = await openTwo()
    const bypassing = cache({ ttl: 60, key: 'getBook', backend, bypass: () => true }, async () => 'fresh')
    expect(await bypassing.lookup()).toEqual({ value: 'fresh', status: 'bypass' })
    expect(runs.computed).toBe(1)
  })

  it('gives many values at once, those it holds without asking', async () => {
    const backend = await openBus(client)
    const runs: number[] = []
    const double = cache({ ttl: 60, backend }, async function double(id: number) {
      runs.push(id)
      return 2 * id
    })
    await double.many([[1], [2]])
    expect(await double.many([[1], [2], [3]])).toEqual([2, 4, 6])
    expect(runs).toEqual([1, 2, 3])
  })

  it('waits for another process and then serves what that computed', async () => {
    const options = { ttl: 60, key: 'shared', distributedSingleflight: true, distLockTimeout: 60 } as const
    const go = latch()
    const running = latch()
    const backend = await openBus(client)
    const there = cache({ ...options, backend: await openBus(secondClient) }, async () => {
      running.open()
      await go.opened
      return 'theirs'
    })
    const here = cache({ ...options, backend }, async () => 'ours')
    const leading = there()
    await running.opened
    const waiting = here()
    go.open()
    expect(await Promise.all([leading, waiting])).toEqual(['theirs', 'theirs'])
    await eventually(async () => {
      await here()
      return isLocal(backend, here.keyOf())
    })
  })

  it('asks Redis about what it holds once it listens anew', async () => {
    const { here, backend, other } = await openTwo()
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(async () => !(await backend.stats()).trusted)
    await invalidate({ tags: ['books'], backend: other })
    await untilTrusted(backend)
    expect(await isLocal(backend, here.keyOf())).toBe(false)
    expect(await here.lookup()).toEqual({ value: 2, status: 'miss' })
  })

  it('trusts a value again that Redis has confirmed', async () => {
    const { here, backend } = await openTwo()
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(async () => !(await backend.stats()).trusted)
    await untilTrusted(backend)
    expect(await here.lookup()).toEqual({ value: 1, status: 'hit' })
    expect(await isLocal(backend, here.keyOf())).toBe(true)
  })

  it('trusts soon, also after a lost connection, however long the lease is', async () => {
    // It is not ready at the first lookup.
    const lazy = client.duplicate({ lazyConnect: true })
    const backend = await openBus(lazy, { l1Lease: '1h' })
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(async () => !(await backend.stats()).trusted)
    await untilTrusted(backend)
    lazy.disconnect()
  })

  it('is told of values that were set by others with another prefix of values, and is not confused', async () => {
    const { here, backend } = await openTwo()
    const shared = { valuePrefix: 'other:', metaPrefix: 'relaycache:meta:', deadline: '10s' } as const
    const other = new RedisCache(secondClient, shared)
    await other.set('getBook()', 'other')
    await other.clear()
    await untilHeard(backend, new RedisCache(secondClient, { deadline: '10s' }))
    expect(await isLocal(backend, here.keyOf())).toBe(true)
    await invalidate({ tags: ['books'], backend: other })
    await eventually(async () => !(await isLocal(backend, here.keyOf())))
  })

  it('hears of a cache that has the same tags by another prefix of its client', async () => {
    const prefixed = await server.open({ keyPrefix: 'app:' })
    const one = await openBus(prefixed, { valuePrefix: 'one:', metaPrefix: 'm:' })
    const other = await openBus(secondClient, { valuePrefix: 'other:', metaPrefix: 'app:m:' })
    const pairs = [
      [one, other],
      [other, one],
    ] as const
    for (const [here, there] of pairs) {
      await here.set('a', 1, { tags: ['x'] })
      expect(await isLocal(here, 'a')).toBe(true)
      await there.invalidateTags(['x'])
      await eventually(async () => !(await isLocal(here, 'a')))
    }
  })

  it('heeds also what it announced itself, which Redis may have executed later', async () => {
    const { here, backend } = await openTwo()
    const heard: string[] = []
    secondClient.on('message', (_, message) => heard.push(message))
    await secondClient.subscribe('relaycache:meta:bus')
    await invalidate({ tags: ['books'], soft: true, backend })
    await eventually(async () => expect(heard).toHaveLength(1))
    await here()
    await eventually(async () => {
      await here()
      return isLocal(backend, here.keyOf())
    })
    await client.publish('relaycache:meta:bus', heard[0] ?? '')
    await eventually(async () => !(await isLocal(backend, here.keyOf())))
  })

  it('takes what it cannot read on its channel for an invalidation of everything', async () => {
    const { here, backend } = await openTwo()
    await secondClient.publish('relaycache:meta:bus', 'no message')
    await eventually(async () => !(await isLocal(backend, here.keyOf())))
  })

  it('refuses a lease that is too short or too long', () => {
    const l2 = new RedisCache(client)
    for (const l1Lease of ['99ms', '61m'] as const) {
      expect(() => new TieredCache({ l2, mode: 'bus', l1Lease })).toThrow(RangeError)
    }
    expect(() => new TieredCache({ l2, mode: 'validate', l1Lease: '1s' })).toThrow(TypeError)
  })
})

describeWith('redis', "TieredCache with mode 'bus' on a Cluster", () => {
  const cluster = useRedisCluster()

  it('serves without asking, and hears what is invalidated through any master', async () => {
    const second = await connectCluster(cluster.nodes.nodes)
    const backend = await openBus(cluster.client)
    const other = new RedisCache(second, { deadline: '10s' })
    const keys = Array.from({ length: 12 }, (_, index) => `key${index}`)
    for (const key of keys) await other.set(key, key, { tags: [`tag of ${key}`] })
    for (const key of keys) {
      await backend.get(key)
      expect(await isLocal(backend, key)).toBe(true)
    }
    for (const key of keys) {
      await other.invalidateTags([`tag of ${key}`])
      await eventually(async () => !(await isLocal(backend, key)))
      expect(await backend.get(key)).toEqual({ hit: false })
    }
    second.disconnect()
  })
})
