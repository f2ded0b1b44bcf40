import { describeWith, eventually, startRedisCluster } from '@outrider/test-kit'
import { Cluster, Redis } from 'ioredis'
import { beforeEach, describe, expect, it } from 'vitest'
import { cache, invalidate } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import { latch } from './latch.ts'
import { connectCluster } from './redis-clients.ts'
import { useRedis } from './use-redis.ts'

describeWith('redis', 'RedisCache', () => {
  const server = useRedis()
  let client: Redis
  let backend: RedisCache<Redis>
  beforeEach(async () => {
    ;({ client } = server)
    await client.flushall()
    backend = new RedisCache(client, { deadline: '10s', valuePrefix: 'myapp:', metaPrefix: 'myapp:meta:' })
  })

  /** How often each command was called since the last `CONFIG RESETSTAT`, without those called by scripts. */
  async function calls(command: string): Promise<number> {
    const stats = await client.info('commandstats')
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }

  it('puts its prefixes before every key, and nothing else into Redis', async () => {
    await backend.set('a', 1, { tags: ['x'] })
    expect((await client.keys('*')).toSorted()).toEqual([
      'myapp:meta:n:myapp:',
      'myapp:meta:t:x',
      'myapp:{a}',
    ])
  })

  it('keeps caches with different prefixes apart, and shares tags under one metaPrefix', async () => {
    const other = new RedisCache(client, {
      deadline: '10s',
      valuePrefix: 'other:',
      metaPrefix: 'myapp:meta:',
    })
    await backend.set('a', 1, { tags: ['x'] })
    await other.set('a', 2)
    await other.set('b', 2, { tags: ['x'] })
    await backend.clear()
    expect(await backend.has('a')).toBe(false)
    expect(await other.get('a')).toEqual({ hit: true, value: 2 })
    await backend.invalidateTags(['x'])
    expect(await other.has('b')).toBe(false)
  })

  it('shows the client it was given', () => {
    expect(backend.client).toBe(client)
  })

  it('reads a value and its tags in one round trip, and concurrent reads in one command', async () => {
    const get = cache({ ttl: 60, backend, tags: ['x', 'y'] }, async function get(id: number) {
      return id
    })
    for (let id = 0; id < 10; id += 1) await get(id)
    await client.config('RESETSTAT')
    const lookups = await Promise.all(Array.from({ length: 100 }, (_, index) => get.lookup(index % 10)))
    expect(lookups.every(({ status }) => status === 'hit')).toBe(true)
    expect(await calls('mget')).toBe(1)
    expect(await calls('eval')).toBe(0)
    expect(await calls('get')).toBe(0)
  })

  it('invalidates any number of values with one command', async () => {
    for (let id = 0; id < 100; id += 1) await backend.set(`${id}`, id, { tags: ['x', 'y'] })
    await client.config('RESETSTAT')
    await backend.invalidateTags(['x', 'y'])
    expect(await calls('eval')).toBe(1)
    expect(await backend.has('50')).toBe(false)
  })

  it('leaves nothing in Redis that does not expire', async () => {
    const failing = cache({ ttl: 60, backend, tags: ['f'] }, async function failing() {
      throw new Error('no value')
    })
    await expect(failing()).rejects.toThrow('no value')
    for (let id = 0; id < 20; id += 1) await backend.set(`${id}`, id, { tags: [`t${id}`] })
    await backend.invalidateTags(['t1', 't2'])
    for (const key of await client.keys('*')) expect(await client.pttl(key), key).toBeGreaterThan(0)
  })

  it('stores a value in place of an invalidated one that expires while the function runs', async () => {
    const go = latch()
    let computed = 0
    const get = cache({ ttl: 60, backend, tags: ['x'] }, async function get() {
      computed += 1
      if (computed > 1) await go.opened
      return computed
    })
    await get()
    await backend.invalidateTags(['x'])
    await client.pexpire('myapp:{get()}', 100)
    const second = get()
    await eventually(() => computed === 2)
    expect(await client.pttl('myapp:{get()}')).toBeGreaterThan(1000)
    expect(await client.strlen('myapp:{get()}')).toBe(28)
    go.open()
    await second
    expect(await get.lookup()).toEqual({ value: 2, status: 'hit' })
  })

  it('does not extend the life of a value by a refresh that fails', async () => {
    let computed = 0
    const get = cache({ ttl: '1s', backend }, async function get() {
      computed += 1
      if (computed > 1) throw new Error('no value')
      return computed
    })
    await get()
    await expect(get.refresh()).rejects.toThrow('no value')
    expect(await client.pttl('myapp:{get()}')).toBeLessThanOrEqual(1000)
    expect(await get.peek()).toEqual({ hit: true, value: 1 })
    await eventually(async () => expect(await get.peek()).toEqual({ hit: false }))
  })

  it('leaves one key behind for a value that was refreshed or deleted', async () => {
    const get = cache({ ttl: 60, backend }, async function get() {
      return 1
    })
    await get()
    await get.refresh()
    expect(await client.keys('myapp:{*')).toEqual(['myapp:{get()}'])
    await Promise.allSettled([get.refresh(), get.invalidate()])
    await get.invalidate()
    expect(await client.keys('myapp:{*')).toEqual([])
    expect((await backend.stats()).totalKeys).toBe(0)
  })

  it('keeps tags at least as long as the values that use them', async () => {
    await backend.set('short', 1, { ttl: '1m', tags: ['x'] })
    await backend.set('long', 1, { ttl: '30d', tags: ['x'] })
    const life = await client.pttl('myapp:{long}')
    expect(await client.pttl('myapp:meta:t:x')).toBeGreaterThanOrEqual(life)
    expect(await client.pttl('myapp:meta:n:myapp:')).toBeGreaterThanOrEqual(life)
  })

  it('gives an entry the ttl of the call, and the defaultTtl without one', async () => {
    const hourly = new RedisCache(client, { deadline: '10s', valuePrefix: 'h:', defaultTtl: '1h' })
    await hourly.set('a', 1)
    await hourly.set('b', 1, { ttl: 10 })
    expect(Math.ceil((await client.pttl('h:{a}')) / 60_000)).toBe(60)
    expect(Math.ceil((await client.pttl('h:{b}')) / 1000)).toBe(10)
  })

  it('estimates its counts without KEYS when there are many keys', async () => {
    const pipeline = client.pipeline()
    for (let i = 0; i < 30_000; i += 1) pipeline.set(`myapp:{${i}}`, 'x').set(`unrelated:${i}`, 'x')
    await pipeline.exec()
    await client.config('RESETSTAT')
    const { totalKeys, activeKeys, approximate } = await backend.stats()
    expect(totalKeys).toBeGreaterThan(27_000)
    expect(totalKeys).toBeLessThan(33_000)
    expect({ activeKeys, approximate }).toEqual({ activeKeys: 0, approximate: true })
    expect(await calls('keys')).toBe(0)
    // Of 60 000 keys no more than 10 000 are looked at, 1000 or a few more at a time.
    expect(await calls('scan')).toBeLessThanOrEqual(10)
  })

  it('warns once for a client that queues commands while it is offline', async () => {
    const warnings: string[] = []
    const listener = (warning: Error & { code?: string }) => warnings.push(warning.code ?? '')
    process.on('warning', listener)
    const queueing = new Redis({ port: server.redis.port, lazyConnect: true })
    const caches = [1, 2, 3].map(() => new RedisCache(queueing))
    expect(caches).toHaveLength(3)
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    process.off('warning', listener)
    expect(warnings).toEqual(['RELAYCACHE_OFFLINE_QUEUE'])
  })

  it('refuses a client that reads from a replica', () => {
    const offline = { lazyConnect: true, enableOfflineQueue: false } as const
    const sentinels = [{ host: '127.0.0.1' }]
    const refused: [Redis, string][] = [
      [new Redis({ ...offline, sentinels, name: 'main', role: 'slave' }), "role to be 'master'"],
      [new Redis({ ...offline, readOnly: true }), 'readOnly to be false'],
    ]
    for (const [replica, expected] of refused) {
      expect(() => new RedisCache(replica)).toThrow(
        new TypeError(`Expected ${expected}: a replica may still hold what was invalidated`),
      )
    }
    const master = new Redis({ ...offline, sentinels, name: 'main', role: 'master', readOnly: false })
    expect(() => new RedisCache(master)).not.toThrow()
  })

  it('refuses a Cluster client that reads from replicas', () => {
    for (const scaleReads of ['slave', 'all', () => []]) {
      const replicas = new Cluster([], { lazyConnect: true, enableOfflineQueue: false, scaleReads } as object)
      expect(() => new RedisCache(replicas)).toThrow(
        new TypeError("Expected scaleReads to be 'master': a replica may still hold what was invalidated"),
      )
    }
  })

  it('refuses what is not a client', () => {
    for (const client of [undefined, {}, 'redis://localhost']) {
      expect(() => new RedisCache(client as never)).toThrow('Expected an ioredis client')
    }
  })

  describe('across processes', () => {
    it('serves to one client what another stored, until any of them invalidates it', async () => {
      const other = new RedisCache(await server.open(), {
        deadline: '10s',
        valuePrefix: 'myapp:',
        metaPrefix: 'myapp:meta:',
      })
      let computed = 0
      const getBook = async () => (computed += 1)
      const here = cache({ ttl: 60, backend, key: 'getBook', tags: ['books'] }, getBook)
      const there = cache({ ttl: 60, backend: other, key: 'getBook', tags: ['books'] }, getBook)
      await here()
      expect(await there.lookup()).toEqual({ value: 1, status: 'hit' })
      await invalidate({ tags: ['books'], backend: other })
      expect(await here.lookup()).toEqual({ value: 2, status: 'miss' })
    })
  })
})

describeWith('redis', 'RedisCache on a Cluster', () => {
  it('sends no command that touches two slots', async () => {
    await using nodes = await startRedisCluster()
    const client = await connectCluster(nodes.nodes)
    const backend = new RedisCache(client, { deadline: '10s' })
    const sent: { name: string; keys: string[] }[] = []
    for (const node of client.nodes('master')) {
      const send = node.sendCommand.bind(node)
      node.sendCommand = (command, ...rest) => {
        sent.push({ name: command.name, keys: command.getKeys().map(String) })
        return send(command, ...rest)
      }
    }
    const keys = ['a', '', '}', '-}', '{', '}a{b}']
    for (const key of keys) {
      await backend.set(key, 1, { tags: ['x', 'y'] })
      expect(await backend.get(key)).toEqual({ hit: true, value: 1 })
      await backend.delete(key)
      const get = cache({ ttl: 60, backend, key: () => `get ${key}`, tags: ['x', 'y'] }, async () => 1)
      await get()
      await get.refresh()
    }
    await backend.invalidateTags(['x', 'y'])
    const withKeys = sent.filter(({ keys }) => keys.length > 0)
    expect(new Set(withKeys.map(({ name }) => name))).toEqual(new Set(['eval', 'get', 'del']))
    for (const { keys } of withKeys) {
      const slots = await Promise.all(keys.map((key) => client.cluster('KEYSLOT', key)))
      expect(new Set(slots).size, keys.join(' ')).toBe(1)
    }
    client.disconnect()
  })

  it('gives values while a master is gone, and uses the cache for what the others hold', async () => {
    await using nodes = await startRedisCluster({ args: ['--cluster-require-full-coverage', 'no'] })
    const client = await connectCluster(nodes.nodes)
    const backend = new RedisCache(client, { invalidateDeadline: '100ms', onError: () => undefined })
    const double = cache(
      { ttl: 60, backend, tags: (id: number) => [`tag:${id}`] },
      async function double(id: number) {
        return id * 2
      },
    )
    const ids = Array.from({ length: 30 }, (_, index) => index)
    await Promise.all(ids.map((id) => double(id)))
    const master = async (key: string) => Math.floor((await client.cluster('KEYSLOT', key)) / 5462)
    const needed = await master('relaycache:meta:n:relaycache:')
    const gone = needed === 0 ? 1 : 0
    await nodes.killNode(gone)
    expect(await Promise.all(ids.map((id) => double(id)))).toEqual(ids.map((id) => id * 2))
    await expect(invalidate({ tags: ids.map((id) => `tag:${id}`), backend })).rejects.toMatchObject({
      code: 'RELAYCACHE_INVALIDATION_UNCONFIRMED',
    })
    const masters = await Promise.all(
      ids.map((id) =>
        Promise.all([master(`relaycache:{${double.keyOf(id)}}`), master(`relaycache:meta:t:tag:${id}`)]),
      ),
    )
    const others = ids.filter((id) => !masters[id]?.includes(gone))
    const elsewhere = new RedisCache(client, { deadline: '10s' })
    const again = cache(
      { ttl: 60, backend: elsewhere, key: 'double', tags: (id: number) => [`tag:${id}`] },
      (id) => id,
    )
    await Promise.all(others.map((id) => again(id)))
    for (const id of others) expect(await again.lookup(id)).toMatchObject({ status: 'hit' })
    expect(others.length).toBeGreaterThan(0)
    client.disconnect()
  })
})
