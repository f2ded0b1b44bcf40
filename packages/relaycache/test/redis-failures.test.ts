import { describeWith, eventually, startTcpProxy, type TcpProxy } from '@outrider/test-kit'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cache, invalidate, InvalidationUnconfirmedError, type RelayCacheError } from '../src/index.ts'
import { RedisCache, type RedisCacheOptions } from '../src/redis/index.ts'
import type { ClientOptions } from './redis-clients.ts'
import { useRedisForEach } from './use-redis.ts'

describeWith('redis', 'RedisCache when Redis fails', () => {
  const server = useRedisForEach()
  let errors: RelayCacheError[]
  beforeEach(() => {
    errors = []
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  async function open(port: number, options: RedisCacheOptions = {}, clientOptions: ClientOptions = {}) {
    const client = await server.open(clientOptions, port)
    const backend = new RedisCache(client, {
      deadline: '500ms',
      invalidateDeadline: '100ms',
      onError: (error) => errors.push(error),
      ...options,
    })
    const db = { title: 'Dune', reads: 0 }
    const getBook = cache({ ttl: 60, backend, tags: ['books'] }, async function getBook(_id: number) {
      db.reads += 1
      return db.title
    })
    return { client, backend, db, getBook }
  }

  async function expectHits(getBook: { lookup(id: number): Promise<{ status: string }> }) {
    await eventually(async () => expect((await getBook.lookup(7)).status).toBe('hit'))
  }

  it('still gives values when the server was killed, and uses it again when it is back', async () => {
    const { backend, getBook } = await open(server.redis.port)
    await getBook(1)
    await server.redis.kill('SIGKILL')
    expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'miss' })
    expect(await getBook.peek(1)).toEqual({ hit: false })
    expect(await backend.set('a', 1)).toBe(false)
    expect(await backend.get('a')).toEqual({ hit: false })
    await expect(invalidate({ tags: ['books'], backend })).rejects.toThrow(InvalidationUnconfirmedError)
    await expect(getBook.invalidate(1)).rejects.toThrow(InvalidationUnconfirmedError)
    await expect(backend.clear()).rejects.toThrow(InvalidationUnconfirmedError)
    await server.redis.restart()
    await expectHits(getBook)
    expect(await invalidate({ tags: ['books'], backend })).toEqual({ tags: ['books'], confirmed: true })
  })

  it('waits once for a server that hangs, and then no more until it answers again', async () => {
    const { backend, getBook, db } = await open(server.redis.port)
    await getBook(1)
    await server.redis.kill('SIGSTOP')
    expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'miss' })
    expect(await backend.stats()).toMatchObject({
      breaker: 'open',
      errors: 1,
      totalKeys: null,
      activeKeys: null,
    })
    expect(errors.map(({ code }) => code)).toEqual(['RELAYCACHE_DEADLINE_EXCEEDED'])
    for (let call = 0; call < 1000; call += 1) await getBook(1)
    expect(db.reads).toBe(1002)
    // At most the probes in the background have failed since.
    expect(errors).toHaveLength(1)
    await expect(invalidate({ tags: ['books'], backend })).rejects.toMatchObject({
      code: 'RELAYCACHE_INVALIDATION_UNCONFIRMED',
      tags: ['books'],
      cause: { code: 'RELAYCACHE_DEADLINE_EXCEEDED', operation: 'invalidateTags', deadlineMs: 100 },
    })
    await server.redis.kill('SIGCONT')
    await expectHits(getBook)
    expect(await backend.stats()).toMatchObject({ breaker: 'closed' })
  })

  it('lets concurrent callers share one run of the function while Redis hangs', async () => {
    const { getBook, db } = await open(server.redis.port)
    await server.redis.kill('SIGSTOP')
    await Promise.all(Array.from({ length: 100 }, () => getBook(1)))
    expect(db.reads).toBe(1)
    await Promise.all(Array.from({ length: 100 }, () => getBook(1)))
    expect(db.reads).toBe(2)
  })

  it('does not take a blocked event loop for a slow Redis', async () => {
    const { getBook } = await open(server.redis.port, { deadline: '20ms' })
    await expectHits(getBook)
    errors = []
    const lookups = Array.from({ length: 20 }, () => getBook.lookup(7))
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    const until = performance.now() + 60
    while (performance.now() < until);
    for (const { status } of await Promise.all(lookups)) expect(status).toBe('hit')
    expect(errors).toEqual([])
  })

  it('gives and does not store values while Redis refuses to write, and still invalidates', async () => {
    const { client, backend, getBook, db } = await open(server.redis.port)
    await getBook(1)
    await client.config('SET', 'maxmemory', '1')
    expect(await getBook.lookup(2)).toEqual({ value: 'Dune', status: 'miss' })
    expect(errors.map(({ code }) => code)).toEqual(['RELAYCACHE_BACKEND_FAILED'])
    expect(await backend.stats()).toMatchObject({ breaker: 'closed', errors: 1 })
    expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'hit' })
    db.title = 'Emma'
    await invalidate({ tags: ['books'], backend })
    expect(await getBook(1)).toBe('Emma')
  })

  describe('an invalidation that Redis refused', () => {
    /** A process that only writes, and a reader of another one that still has the old value. */
    async function openWriter() {
      const { client, backend } = await open(server.redis.port)
      const elsewhere = await open(server.redis.port)
      const stillServed = async () => (await elsewhere.getBook.peek(1)).hit
      await elsewhere.getBook(1)
      const allowWrites = async (allowed: boolean) =>
        allowed ? elsewhere.client.replicaof('NO', 'ONE') : elsewhere.client.replicaof('127.0.0.1', 1)
      await allowWrites(false)
      await expect(invalidate({ tags: ['books'], backend })).rejects.toThrow(InvalidationUnconfirmedError)
      return { client, backend, stillServed, allowWrites }
    }

    it('is sent again from time to time, also when nobody reads', async () => {
      const { stillServed, allowWrites } = await openWriter()
      await allowWrites(true)
      expect(await stillServed()).toBe(true)
      await eventually(async () => expect(await stillServed()).toBe(false))
    })

    it('is sent again with the next one that Redis confirms', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const { backend, stillServed, allowWrites } = await openWriter()
      await allowWrites(true)
      await invalidate({ tags: ['others'], backend })
      await eventually(async () => expect(await stillServed()).toBe(false))
    })

    it('keeps this backend from storing what depends on it', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const { backend, allowWrites } = await openWriter()
      await allowWrites(true)
      expect(await backend.set('a', 1, { tags: ['books'] })).toBe(false)
      await eventually(async () => expect(await backend.set('a', 1, { tags: ['books'] })).toBe(true))
    })

    it('is not sent again after the client was closed', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const { client, backend } = await openWriter()
      expect(vi.getTimerCount()).toBe(1)
      vi.advanceTimersByTime(1000)
      await eventually(() => backend.counters.errors === 2)
      client.disconnect()
      await eventually(() => client.status === 'end')
      vi.advanceTimersByTime(1000)
      expect(vi.getTimerCount()).toBe(0)
      expect(backend.counters.errors).toBe(2)
    })
  })

  it.each([
    '',
    'R',
    '0'.repeat(28),
    `${'0'.repeat(28)}R9["x"]\nj1`,
    `${'0'.repeat(28)}R1not json\nj1`,
    '\0\uffff',
  ])('misses and replaces what it cannot read: %j', async (blob) => {
    const { client, getBook } = await open(server.redis.port)
    await getBook(1)
    const key = `relaycache:{${getBook.keyOf(1)}}`
    expect(await client.exists(key)).toBe(1)
    await client.set(key, blob)
    expect((await getBook.lookup(1)).status).toBe('miss')
    expect((await getBook.lookup(1)).status).toBe('hit')
    expect(errors).toEqual([])
  })

  it('misses a valid entry whose value was damaged', async () => {
    const { client, getBook } = await open(server.redis.port)
    await getBook(1)
    const key = `relaycache:{${getBook.keyOf(1)}}`
    await client.set(key, (await client.getBuffer(key))?.subarray(0, -1) ?? expect.fail())
    expect((await getBook.lookup(1)).status).toBe('miss')
  })

  it('gives values where the key holds another type', async () => {
    const { client, getBook } = await open(server.redis.port)
    await client.rpush(`relaycache:{${getBook.keyOf(1)}}`, 'a list')
    expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'miss' })
    expect(errors.map(({ code }) => code)).toEqual(['RELAYCACHE_BACKEND_FAILED'])
  })

  it('waits for a client that is still connecting, also a lazy one', async () => {
    for (const lazyConnect of [false, true]) {
      const client = new Redis({ port: server.redis.port, enableOfflineQueue: false, lazyConnect })
      const backend = new RedisCache(client, { deadline: '10s' })
      expect(await backend.set('a', 1)).toBe(true)
      expect(await backend.get('a')).toEqual({ hit: true, value: 1 })
      client.disconnect()
    }
  })

  it('fails open at once when the client was closed', async () => {
    const { client, backend, getBook } = await open(server.redis.port)
    client.disconnect()
    await eventually(() => client.status === 'end')
    expect(await getBook(1)).toBe('Dune')
    await expect(backend.clear()).rejects.toMatchObject({
      cause: { cause: { message: 'The Redis client is closed' } },
    })
  })

  describe('behind a line that breaks', () => {
    let proxy: TcpProxy
    beforeEach(async () => {
      proxy = await startTcpProxy(server.redis)
    })
    afterEach(() => proxy.stop())

    it('gives values while the line is silent, and uses Redis again after a reset', async () => {
      const { getBook, backend } = await open(proxy.port)
      await getBook(1)
      proxy.halfOpen(true)
      expect(await getBook.lookup(1)).toEqual({ value: 'Dune', status: 'miss' })
      await expect(invalidate({ tags: ['books'], backend })).rejects.toThrow('did not confirm invalidateTags')
      proxy.cut()
      proxy.halfOpen(false)
      await expectHits(getBook)
    })

    it('sends an unconfirmed invalidation again when the line is back, also when nobody reads', async () => {
      const { backend } = await open(proxy.port, {}, { autoResendUnfulfilledCommands: false })
      const elsewhere = await open(server.redis.port)
      await elsewhere.getBook(1)
      proxy.halfOpen(true)
      await expect(invalidate({ tags: ['books'], backend })).rejects.toThrow(InvalidationUnconfirmedError)
      proxy.cut()
      proxy.halfOpen(false)
      expect(await elsewhere.getBook.peek(1)).toEqual({ hit: true, value: 'Dune' })
      await eventually(async () => expect(await elsewhere.getBook.peek(1)).toEqual({ hit: false }))
    })

    it('never serves what an unconfirmed invalidation named, and sends it again', async () => {
      const { getBook, backend, db } = await open(proxy.port)
      const elsewhere = await open(server.redis.port)
      await getBook(1)
      expect((await elsewhere.getBook.lookup(1)).status).toBe('hit')

      proxy.refuse(true)
      proxy.cut()
      db.title = 'Emma'
      await expect(invalidate({ tags: ['books'], backend })).rejects.toThrow(InvalidationUnconfirmedError)
      expect((await elsewhere.getBook.lookup(1)).value).toBe('Dune')
      proxy.refuse(false)
      await eventually(async () => {
        const { value, status } = await getBook.lookup(1)
        expect(value).toBe('Emma')
        return status === 'hit'
      })
      expect(await elsewhere.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
    })
  })
})
