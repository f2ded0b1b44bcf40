import { setTimeout as elapse } from 'node:timers/promises'
import { describeWith, eventually, startRedisCluster, startTcpProxy } from '@outrider/test-kit'
import { Cluster } from 'ioredis'
import { expect, it } from 'vitest'
import { cache, invalidate, InvalidationUnconfirmedError } from '../src/index.ts'
import { RedisCache, TieredCache, type RedisClient } from '../src/redis/index.ts'
import { connectCluster } from './redis-clients.ts'
import { block, isLocal, openBus, splitting, untilTrusted, type BusOptions } from './trusted.ts'
import { useRedisForEach } from './use-redis.ts'

const LEASE = '500ms'
const LEASE_MS = 500
const ROUNDS = process.env['OUTRIDER_FAULTS'] === '1' ? 50 : 3
const timeout = 20_000 + 4 * LEASE_MS * ROUNDS

/** A process that holds the value of a function. */
async function openHere(client: RedisClient, options: BusOptions = {}) {
  const backend = await openBus(client, { l1Lease: LEASE, ...options })
  const db = { title: 'Dune' }
  const getBook = cache({ ttl: 60, backend, tags: ['books'] }, async function getBook() {
    return db.title
  })
  await eventually(async () => {
    await getBook()
    return isLocal(backend, getBook.keyOf())
  })
  return { backend, db, getBook }
}

describeWith('redis', "TieredCache with mode 'bus' when Redis fails", () => {
  const server = useRedisForEach()
  const openElsewhere = async () => new RedisCache(await server.open(), { deadline: '10s' })

  it(
    'serves nothing for longer than the lease whose message was lost with the connection',
    { timeout },
    async () => {
      const { backend, db, getBook } = await openHere(await server.open())
      const other = await openElsewhere()
      for (let round = 0; round < ROUNDS; round += 1) {
        db.title = `Dune ${round}`
        await Promise.all([
          server.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
          invalidate({ tags: ['books'], backend: other }),
        ])
        await elapse(LEASE_MS)
        expect(await getBook()).toBe(db.title)
        await untilTrusted(backend)
        expect(await getBook()).toBe(db.title)
      }
    },
  )

  it('leaves no rejection behind when its client is closed while it begins to listen anew', async () => {
    await using proxy = await startTcpProxy(server.redis)
    // In small steps through all that a new connection sends.
    for (let delayMs = 50; delayMs < 250; delayMs += 10) {
      const listening = await server.open({}, proxy.port)
      const sending = await server.open()
      await openBus(splitting(sending, listening))
      proxy.setLatency(20)
      proxy.cut()
      await elapse(delayMs)
      sending.disconnect()
      proxy.setLatency(0)
    }
  })

  it('does not trust what it holds after a message was lost, once it listens anew', async () => {
    const { backend, db, getBook } = await openHere(await server.open())
    const other = await openElsewhere()
    // The message goes out while nobody listens.
    await server.client
      .multi()
      .call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      .eval("redis.call('DEL', KEYS[1])", 1, 'relaycache:meta:t:books')
      .exec()
    db.title = 'Emma'
    await eventually(async () => !(await backend.stats()).trusted)
    await untilTrusted(backend)
    expect(await getBook.lookup()).toEqual({ value: 'Emma', status: 'miss' })
    await invalidate({ tags: ['books'], backend: other })
  })

  it('asks Redis when its line to it is silent for the lease, and listens over another one then', async () => {
    await using proxy = await startTcpProxy(server.redis)
    const direct = await server.open()
    const lines = await server.open({}, proxy.port)
    // What it sends goes another way than what it hears.
    const client = splitting(direct, lines)
    const { backend, db, getBook } = await openHere(client)
    const other = await openElsewhere()
    const listening = async () => String(await server.client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
    const [before = expect.fail()] = (await listening()).split(' ')
    proxy.halfOpen(true)
    await invalidate({ tags: ['books'], backend: other })
    db.title = 'Emma'
    await elapse(LEASE_MS)
    expect(await getBook.lookup()).toEqual({ value: 'Emma', status: 'miss' })
    await eventually(async () => expect(await listening()).not.toContain(`${before} `), { timeoutMs: 15_000 })
    proxy.halfOpen(false)
    proxy.cut()
    await untilTrusted(backend)
    expect(await getBook()).toBe('Emma')
    await eventually(() => isLocal(backend, getBook.keyOf()))
  })

  it('serves nothing from memory when Redis hangs for longer than the lease', async () => {
    const { backend, db, getBook } = await openHere(await server.open(), { deadline: '50ms' })
    db.title = 'Emma'
    await server.redis.kill('SIGSTOP')
    await elapse(LEASE_MS)
    expect(await getBook()).toBe('Emma')
    await server.redis.kill('SIGCONT')
    await untilTrusted(backend)
    // Nothing was invalidated.
    await eventually(async () => (await getBook.lookup()).status === 'hit')
    expect(await getBook()).toBe('Dune')
    await eventually(() => isLocal(backend, getBook.keyOf()))
  })

  it('serves nothing that was invalidated here while Redis does not confirm it', async () => {
    const { backend, db, getBook } = await openHere(await server.open(), {
      deadline: '50ms',
      invalidateDeadline: '100ms',
      onError: () => undefined,
    })
    await server.redis.kill('SIGSTOP')
    const removed = invalidate({ tags: ['books'], backend })
    db.title = 'Emma'
    expect(await isLocal(backend, getBook.keyOf())).toBe(false)
    await expect(removed).rejects.toThrow(InvalidationUnconfirmedError)
    expect(await getBook()).toBe('Emma')
    await server.redis.kill('SIGCONT')
    await eventually(async () => {
      expect(await getBook()).toBe('Emma')
      return isLocal(backend, getBook.keyOf())
    })
  })

  it('forgets all when Redis comes back empty', async () => {
    const { backend, db, getBook } = await openHere(await server.open(), { onError: () => undefined })
    db.title = 'Emma'
    await server.redis.restart()
    await eventually(async () => !(await backend.stats()).trusted)
    await eventually(async () => (await getBook()) === 'Emma')
    await untilTrusted(backend)
    expect(await getBook()).toBe('Emma')
  })

  it('serves nothing when its event loop was blocked for longer than the lease, and loses nothing when not', async () => {
    const { backend, db, getBook } = await openHere(await server.open(), { l1Lease: '1s' })
    const other = await openElsewhere()
    block(60)
    expect(await isLocal(backend, getBook.keyOf())).toBe(true)
    await invalidate({ tags: ['books'], backend: other })
    db.title = 'Emma'
    // What has arrived meanwhile is not read before this lookup.
    block(1000)
    expect(await getBook()).toBe('Emma')
  })

  it('listens only as long as it is used, and anew when it is used again', async () => {
    const { backend, getBook } = await openHere(await server.open())
    const channels = async () => {
      // Monitoring is no use.
      await backend.stats()
      return server.client.pubsub('CHANNELS', '*:bus*')
    }
    expect(await channels()).toHaveLength(2)
    await eventually(async () => expect(await channels()).toEqual([]), { timeoutMs: 19_000 })
    await untilTrusted(backend)
    expect(await getBook.lookup()).toEqual({ value: 'Dune', status: 'hit' })
    expect(await isLocal(backend, getBook.keyOf())).toBe(true)
  })

  it('asks Redis each time when it may not publish, and says so', async () => {
    const admin = server.client
    await admin.call('ACL', 'SETUSER', 'mute', 'on', 'nopass', '~*', '+@all', 'resetchannels')
    const client = await server.open({ username: 'mute', password: 'any' })
    const errors: string[] = []
    const onError = (error: Error) => void errors.push(error.message)
    const backend = new TieredCache({ mode: 'bus', l2: new RedisCache(client, { deadline: '10s', onError }) })
    await backend.set('a', 1)
    await backend.invalidateTags(['x'])
    expect(errors).toContain('Redis failed at publish')
    expect(await backend.get('a')).toEqual({ hit: true, value: 1 })
    expect(await isLocal(backend, 'a')).toBe(false)
  })

  it('gives one frozen copy to all, whether it is trusted or confirmed', async () => {
    await server.client.call('ACL', 'SETUSER', 'mute', 'on', 'nopass', '~*', '+@all', 'resetchannels')
    const mute = await server.open({ username: 'mute', password: 'any' })
    const l2 = new RedisCache(mute, { deadline: '10s', onError: () => undefined })
    const confirming = new TieredCache({ mode: 'bus', l2 })
    await confirming.set('a', { title: 'Dune' })
    const first = await confirming.get('a')
    for (let time = 0; time < 2; time += 1) expect((await confirming.get('a')).value).toBe(first.value)
    const trusting = await openBus(await server.open())
    const read = await trusting.get('a')
    await server.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(async () => !(await trusting.stats()).trusted)
    await untilTrusted(trusting)
    for (let time = 0; time < 2; time += 1) expect((await trusting.get('a')).value).toBe(read.value)
    expect(await isLocal(trusting, 'a')).toBe(true)
  })

  it('asks Redis each time when it may hear its heartbeats only, and says so once', async () => {
    const channels = ['resetchannels', '&relaycache:meta:bus:*']
    await server.client.call('ACL', 'SETUSER', 'app', 'on', 'nopass', '~*', '+@all', ...channels)
    const errors: string[] = []
    const onError = (error: Error) => void errors.push(error.message)
    const client = await server.open({ username: 'app', password: 'any' })
    const l2 = new RedisCache(client, { deadline: '10s', onError })
    const backend = new TieredCache({ mode: 'bus', l1Lease: '100ms', l2 })
    await backend.set('a', 1, { tags: ['x'] })
    await eventually(() => errors.includes('Redis failed at subscribe'))
    await server.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await elapse(LEASE_MS)
    expect(await backend.get('a')).toEqual({ hit: true, value: 1 })
    expect(await isLocal(backend, 'a')).toBe(false)
    await (await openElsewhere()).invalidateTags(['x'])
    expect(await backend.get('a')).toEqual({ hit: false })
    expect(errors.toSorted()).toEqual(['Redis failed at publish', 'Redis failed at subscribe'])
  })

  it('hears that a writer could not tell of what it stored in place of something', async () => {
    await server.client.call('ACL', 'SETUSER', 'mute', 'on', 'nopass', '~*', '+@all', 'resetchannels')
    const errors: string[] = []
    const onError = (error: Error) => void errors.push(error.message)
    const mute = await server.open({ username: 'mute', password: 'any' })
    const writer = new RedisCache(mute, { deadline: '10s', onError })
    const get = cache({ ttl: 60, backend: writer }, async function get() {
      return 1
    })
    const led = cache(
      { ttl: '50ms', grace: '1m', distributedSingleflight: true, backend: writer },
      async function led() {
        return 1
      },
    )
    for (const compute of [get, led]) await compute()
    expect(errors).toEqual([])
    await get.refresh()
    expect(errors.splice(0)).toEqual(['Redis failed at publish'])
    await eventually(async () => (await led.lookup()).status === 'miss')
    expect(errors.splice(0)).toEqual(['Redis failed at publish'])
    expect(await writer.set('a', 1)).toBe(true)
    expect(errors).toEqual(['Redis failed at publish'])
  })
})

describeWith('redis', "TieredCache with mode 'bus' on a Cluster that fails", () => {
  it(
    'serves nothing for longer than the lease when one master is out of reach',
    { timeout: 60_000 },
    async () => {
      await using nodes = await startRedisCluster()
      const proxies = await Promise.all(nodes.nodes.map((node) => startTcpProxy(node)))
      const natMap = Object.fromEntries(
        nodes.nodes.map(({ host, port }, index) => [
          `${host}:${port}`,
          { host: '127.0.0.1', port: proxies[index]?.port ?? 0 },
        ]),
      )
      const direct = await connectCluster(nodes.nodes)
      const other = new RedisCache(direct, { deadline: '10s' })
      for (const proxy of proxies) {
        const client = new Cluster(
          proxies.map(({ host, port }) => ({ host, port })),
          { natMap, enableOfflineQueue: false },
        )
        client.on('error', () => undefined)
        await eventually(() => client.status === 'ready')
        const { backend, db, getBook } = await openHere(client, {
          deadline: '100ms',
          onError: () => undefined,
        })
        proxy.halfOpen(true)
        await invalidate({ tags: ['books'], backend: other })
        db.title = 'Emma'
        await elapse(LEASE_MS)
        expect((await backend.stats()).trusted).toBe(false)
        expect(await getBook()).toBe('Emma')
        proxy.halfOpen(false)
        proxy.cut()
        client.disconnect()
        await other.clear()
      }
      direct.disconnect()
      for (const proxy of proxies) await proxy.stop()
    },
  )
})
