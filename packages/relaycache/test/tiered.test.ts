import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describeWith, eventually, startRedis, startRedisCluster, type TestRedis } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  cache,
  InMemoryCache,
  invalidate,
  type DiagnosticEvents,
  type RelayCacheError,
} from '../src/index.ts'
import {
  jsonSerializer,
  RedisCache,
  TieredCache,
  type RedisCacheOptions,
  type RedisClient,
} from '../src/redis/index.ts'
import { latch } from './latch.ts'
import { connect, connectCluster } from './redis-clients.ts'

/** Counts the values that are decoded by one backend. */
function decoding() {
  const counts = { decoded: 0 }
  const serializer = {
    ...jsonSerializer,
    decode(data: Buffer) {
      counts.decoded += 1
      return jsonSerializer.decode(data)
    },
  }
  return { counts, serializer }
}

function tiered<Client extends RedisClient>(client: Client, options: RedisCacheOptions = {}) {
  return new TieredCache({ l2: new RedisCache(client, { deadline: '10s', ...options }) })
}

describeWith('redis', 'TieredCache', () => {
  let redis: TestRedis
  let client: Redis
  let secondClient: Redis
  beforeAll(async () => {
    redis = await startRedis()
    client = await connect(redis.port)
    secondClient = await connect(redis.port)
  })
  afterAll(async () => {
    client.disconnect()
    secondClient.disconnect()
    await redis.stop()
  })
  beforeEach(() => client.flushall())

  /** How often each command was called since the last `CONFIG RESETSTAT`, without those called by scripts. */
  async function calls(): Promise<Record<string, number>> {
    const stats = await client.info('commandstats')
    const all = [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)]
    return Object.fromEntries(all.map(([, name = '', count]) => [name, Number(count)]))
  }

  /** Two backends on one Redis, as two processes have them, with one function that counts its runs. */
  function openTwo() {
    const runs = { computed: 0 }
    const compute = async () => (runs.computed += 1)
    const options = { ttl: 60, key: 'getBook', tags: ['books'] }
    const backends = [tiered(client), tiered(secondClient)] as const
    const [here, there] = [
      cache({ ...options, backend: backends[0] }, compute),
      cache({ ...options, backend: backends[1] }, compute),
    ]
    return { here, there, backends, runs }
  }

  it('asks for what it holds in one round trip, concurrent lookups together, and transfers no value', async () => {
    const { counts, serializer } = decoding()
    const backend = tiered(client, { serializer })
    const get = cache({ ttl: 60, backend, tags: ['x', 'y'] }, async function get(id: number) {
      return id
    })
    for (let id = 0; id < 10; id += 1) await get(id)
    counts.decoded = 0
    await client.config('RESETSTAT')
    const lookups = await Promise.all(Array.from({ length: 100 }, (_, index) => get.lookup(index % 10)))
    expect(lookups.map(({ value }) => value)).toEqual(Array.from({ length: 100 }, (_, index) => index % 10))
    expect(lookups.every(({ status }) => status === 'hit')).toBe(true)
    const { mget, getrange, ...others } = await calls()
    expect({ mget, getrange }).toEqual({ mget: 1, getrange: 10 })
    expect(others).not.toHaveProperty('get')
    expect(others).not.toHaveProperty('eval')
    expect(counts.decoded).toBe(0)
  })

  it('reads once what another process stored', async () => {
    const { counts, serializer } = decoding()
    const stored = { title: 'Dune' }
    await tiered(secondClient).set('a', stored, { tags: ['x'] })
    const backend = tiered(client, { serializer })
    for (let time = 0; time < 3; time += 1)
      expect(await backend.get('a')).toEqual({ hit: true, value: stored })
    expect(counts.decoded).toBe(1)
    expect((await backend.stats()).l1).toMatchObject({ totalKeys: 1, hits: 2, misses: 1 })
  })

  it('needs one round trip also for a value whose tags the caller does not know', async () => {
    const backend = tiered(client)
    await backend.set('a', 1, { tags: ['x'] })
    await client.config('RESETSTAT')
    expect(await backend.get('a')).toEqual({ hit: true, value: 1 })
    expect(await calls()).toMatchObject({ mget: 1, getrange: 1 })
  })

  it('shares its values with the RedisCache it is built on', async () => {
    const l2 = new RedisCache(client, { deadline: '10s', valuePrefix: 'shared:' })
    const backend = new TieredCache({ l2 })
    await backend.set('a', 1)
    expect(await l2.get('a')).toEqual({ hit: true, value: 1 })
    await l2.set('a', 2)
    expect(await backend.get('a')).toEqual({ hit: true, value: 2 })
    await l2.delete('a')
    expect(await backend.get('a')).toEqual({ hit: false })
    expect(backend.client).toBe(client)
  })

  describe('gives nothing that another process took out of the cache', () => {
    type Two = ReturnType<typeof openTwo>
    const removals: [string, (two: Two) => Promise<unknown>][] = [
      ['by a tag', ({ backends }) => invalidate({ tags: ['books'], backend: backends[1] })],
      ['by its key', ({ there }) => there.invalidate()],
      ['with everything else', ({ backends }) => backends[1].clear()],
      ['by FLUSHALL', () => secondClient.flushall()],
      ['with the key of a tag, which was evicted', () => secondClient.unlink('relaycache:meta:t:books')],
      [
        'with the key of the namespace, which was evicted',
        () => secondClient.unlink('relaycache:meta:n:relaycache:'),
      ],
      ['with its own key, which was evicted', () => secondClient.unlink('relaycache:{getBook()}')],
    ]
    it.each(removals)('%s', async (_, remove) => {
      const two = openTwo()
      await two.here()
      expect(await two.here.lookup()).toEqual({ value: 1, status: 'hit' })
      await remove(two)
      expect(await two.here.peek()).toEqual({ hit: false })
      expect(await two.here.lookup()).toEqual({ value: 2, status: 'miss' })
      expect(await two.there.lookup()).toEqual({ value: 2, status: 'hit' })
    })

    it('when its ttl is over in Redis', async () => {
      const { here } = openTwo()
      await here()
      await client.pexpire('relaycache:{getBook()}', 1)
      await eventually(async () => expect(await here.peek()).toEqual({ hit: false }))
    })
  })

  it('gives what another process has set or refreshed meanwhile', async () => {
    const { here, there, backends, runs } = openTwo()
    await here()
    await backends[1].set(here.keyOf(), 10, { tags: ['books'] })
    expect(await here.lookup()).toEqual({ value: 10, status: 'hit' })
    runs.computed = 20
    await there.refresh()
    expect(await here.lookup()).toEqual({ value: 21, status: 'hit' })
  })

  it('tells the refreshed value from the old one, which was read again during the refresh', async () => {
    const go = latch()
    const running = latch()
    const options = { ttl: 60, key: 'getBook' }
    const here = cache({ ...options, backend: tiered(client) }, async () => 'unused')
    const there = cache({ ...options, backend: tiered(secondClient) }, async () => {
      running.open()
      await go.opened
      return 'new'
    })
    await tiered(secondClient).set(here.keyOf(), 'old')
    expect(await here()).toBe('old')
    const refreshed = there.refresh()
    await running.opened
    // The value has the token of the refresh now, and so will the new one.
    for (let time = 0; time < 3; time += 1) expect(await here()).toBe('old')
    go.open()
    await refreshed
    expect(await here.lookup()).toEqual({ value: 'new', status: 'hit' })
  })

  it('does not give a value that expired while it was refreshed', async () => {
    const go = latch()
    const running = latch()
    const { here } = openTwo()
    const name = `relaycache:{${here.keyOf()}}`
    const slow = cache({ ttl: 60, key: 'getBook', backend: tiered(secondClient) }, async () => {
      running.open()
      await go.opened
      return 'new'
    })
    await here()
    const refreshed = slow.refresh()
    await running.opened
    expect(await here.peek()).toEqual({ hit: true, value: 1 })
    await client.unlink(name)
    // Puts the token of the refresh back, without a value.
    const joined = slow.lookup()
    await eventually(async () => expect(await client.exists(name)).toBe(1))
    expect(await here.peek()).toEqual({ hit: false })
    go.open()
    expect(await refreshed).toBe('new')
    expect(await joined).toEqual({ value: 'new', status: 'coalesced' })
    expect(await here.lookup()).toEqual({ value: 'new', status: 'hit' })
  })

  describe('isolates values as its L1 does', () => {
    it('one frozen copy for all by default, also for those who compute it', async () => {
      const get = cache({ ttl: 60, backend: tiered(client) }, async function get() {
        return { list: [1] }
      })
      const [computed, joined] = await Promise.all([get(), get()])
      expect(joined).toBe(computed)
      expect(await get()).toBe(computed)
      expect(() => computed.list.push(2)).toThrow(TypeError)
    })

    it('a copy for each of values that cannot be frozen', async () => {
      const get = cache({ ttl: 60, backend: tiered(client) }, async function get() {
        return Buffer.from('a')
      })
      for (const value of [...(await Promise.all([get(), get()])), await get()]) value.write('b')
      expect(String(await get())).toBe('a')
    })

    it('and reads from Redis each time what its L1 cannot isolate', async () => {
      const errors: RelayCacheError[] = []
      const serializer = {
        name: 'pattern',
        encode: (value: unknown) => (value as RegExp).source,
        decode: (data: Buffer) => new RegExp(data.toString()),
      }
      const backend = new TieredCache({
        l1: new InMemoryCache({ onError: (error) => errors.push(error) }),
        l2: new RedisCache(client, { deadline: '10s', serializer }),
      })
      const get = cache({ ttl: 60, backend }, async function get() {
        return /a+/
      })
      const [first, second] = [await get(), await get()]
      expect(second).toEqual(first)
      expect(second).not.toBe(first)
      expect(errors[0]?.code).toBe('RELAYCACHE_UNSUPPORTED_VALUE')
    })
  })

  it('holds no more values than its L1 has room for, and reads the others from Redis', async () => {
    const { counts, serializer } = decoding()
    const l1 = new InMemoryCache({ maxItems: 2 })
    const backend = new TieredCache({ l1, l2: new RedisCache(client, { deadline: '10s', serializer }) })
    for (const key of ['a', 'b', 'c']) await backend.set(key, key)
    counts.decoded = 0
    for (const key of ['c', 'b', 'a']) expect(await backend.get(key)).toEqual({ hit: true, value: key })
    expect(counts.decoded).toBe(1)
    expect((await l1.stats()).totalKeys).toBe(2)
  })

  it('frees its L1 when it is cleared, and tells that once', async () => {
    const events: DiagnosticEvents['relaycache:invalidate'][] = []
    const listen = (event: unknown) => void events.push(event as DiagnosticEvents['relaycache:invalidate'])
    const backend = tiered(client)
    await backend.set('a', 1)
    expect((await backend.stats()).l1.totalKeys).toBe(1)
    subscribe('relaycache:invalidate', listen)
    await backend.clear()
    unsubscribe('relaycache:invalidate', listen)
    expect((await backend.stats()).l1.totalKeys).toBe(0)
    expect(events).toEqual([{ backend, operation: 'clear', tags: [] }])
  })

  it('neither counts nor keeps what is looked at for statistics', async () => {
    const other = new RedisCache(secondClient)
    for (const key of ['a', 'b', 'c']) await other.set(key, key)
    for (const mode of ['validate', 'bus'] as const) {
      const backend = new TieredCache({ mode, l2: new RedisCache(client, { deadline: '10s' }) })
      await backend.get('a')
      expect(await backend.stats()).toMatchObject({ totalKeys: 3, activeKeys: 3 })
      expect((await backend.stats()).l1).toMatchObject({ hits: 0, misses: 1, totalKeys: 1 })
    }
  })

  it('is not confused by other values in its L1', async () => {
    const l1 = new InMemoryCache()
    const backend = new TieredCache({ l1, l2: new RedisCache(client, { deadline: '10s' }) })
    for (const other of [null, 'text', { value: 'other' }]) {
      await backend.set('a', 1)
      await l1.set('a', other)
      expect(await backend.get('a')).toEqual({ hit: true, value: 1 })
    }
  })

  it('refuses options that it cannot use', () => {
    const l2 = new RedisCache(client)
    const refused: [unknown, string][] = [
      [{}, 'Expected l2 to be a RedisCache, got undefined'],
      [{ l2: client }, 'Expected l2 to be a RedisCache, got an object'],
      [{ l2, l1: { maxItems: 1 } }, 'Expected l1 to be an InMemoryCache, got an object'],
      [{ l2, mode: 'buss' }, "Expected mode to be 'validate' or 'bus', got 'buss' (string)"],
      [{ l2, l1Lease: '1s' }, "Expected no l1Lease with mode 'validate'"],
      [{ l2, mode: 'bus', l1Lease: 2 }, 'Expected l1Lease to be a duration with a unit'],
      [{ l2, l3: l2 }, 'Unknown option "l3" of TieredCache'],
    ]
    for (const [options, message] of refused) {
      expect(() => new TieredCache(options as { l2: RedisCache })).toThrow(TypeError)
      expect(() => new TieredCache(options as { l2: RedisCache })).toThrow(message)
    }
  })
})

describeWith('redis', 'TieredCache on a Cluster', () => {
  it('asks for what it holds with commands of one slot each, and transfers no value', async () => {
    await using nodes = await startRedisCluster()
    const client = await connectCluster(nodes.nodes)
    const { counts, serializer } = decoding()
    const backend = tiered(client, { serializer })
    const sent: string[] = []
    await backend.set('a', 1, { tags: ['x', 'y'] })
    for (const node of client.nodes('master')) {
      const send = node.sendCommand.bind(node)
      node.sendCommand = (command, ...rest) => {
        sent.push(`${command.name} ${command.getKeys().join(' ')}`)
        return send(command, ...rest)
      }
    }
    counts.decoded = 0
    expect(await backend.get('a')).toEqual({ hit: true, value: 1 })
    expect(sent.toSorted()).toEqual([
      'get relaycache:meta:n:relaycache:',
      'get relaycache:meta:t:x',
      'get relaycache:meta:t:y',
      'getrange relaycache:{a}',
    ])
    expect(counts.decoded).toBe(0)
    await backend.invalidateTags(['y'])
    expect(await backend.get('a')).toEqual({ hit: false })
    client.disconnect()
  })
})
