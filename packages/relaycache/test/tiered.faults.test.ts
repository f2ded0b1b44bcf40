import {
  describeWith,
  eventually,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { cache, invalidate, InvalidationUnconfirmedError, type RelayCacheError } from '../src/index.ts'
import { RedisCache, TieredCache } from '../src/redis/index.ts'
import { connect } from './redis-clients.ts'

describeWith('redis', 'TieredCache when Redis fails', () => {
  let redis: TestRedis
  let clients: Redis[]
  let errors: RelayCacheError[]
  beforeEach(async () => {
    // With arguments the server is always one of our own, which may be killed.
    redis = await startRedis({ args: ['--maxmemory', '0'] })
    clients = []
    errors = []
  })
  afterEach(async () => {
    for (const client of clients) client.disconnect()
    await redis.kill('SIGCONT')
    await redis.stop()
  })

  /** A backend that has a value in its L1. */
  async function open(port: number) {
    const client = await connect(port)
    clients.push(client)
    const backend = new TieredCache({
      l2: new RedisCache(client, {
        deadline: '500ms',
        invalidateDeadline: '100ms',
        onError: (error) => errors.push(error),
      }),
    })
    const db = { title: 'Dune', reads: 0 }
    const getBook = cache({ ttl: 60, backend, tags: ['books'] }, async function getBook() {
      db.reads += 1
      return db.title
    })
    await getBook()
    expect(await getBook.lookup()).toEqual({ value: 'Dune', status: 'hit' })
    return { client, backend, db, getBook }
  }

  async function expectHits(getBook: { lookup(): Promise<{ status: string }> }) {
    await eventually(async () => expect((await getBook.lookup()).status).toBe('hit'))
  }

  it('gives nothing out of its L1 while the server is gone, nor when that came back empty', async () => {
    const { backend, db, getBook } = await open(redis.port)
    db.title = 'Emma'
    await redis.kill('SIGKILL')
    expect(await getBook.lookup()).toEqual({ value: 'Emma', status: 'miss' })
    expect(await getBook.peek()).toEqual({ hit: false })
    await expect(invalidate({ tags: ['books'], backend })).rejects.toThrow(InvalidationUnconfirmedError)
    await expect(backend.clear()).rejects.toThrow(InvalidationUnconfirmedError)
    await redis.restart()
    await eventually(async () => {
      const { value, status } = await getBook.lookup()
      expect(value).toBe('Emma')
      return status === 'hit'
    })
  })

  it('waits once for a server that hangs, and then no more until it answers again', async () => {
    const { backend, db, getBook } = await open(redis.port)
    db.title = 'Emma'
    await redis.kill('SIGSTOP')
    const together = await Promise.all(Array.from({ length: 100 }, () => getBook.lookup()))
    expect(new Set(together.map(({ value }) => value))).toEqual(new Set(['Emma']))
    expect(errors.map(({ code }) => code)).toEqual(['RELAYCACHE_DEADLINE_EXCEEDED'])
    expect(await backend.stats()).toMatchObject({ breaker: 'open', errors: 1 })
    const { reads } = db
    for (let call = 0; call < 1000; call += 1) await getBook()
    expect(db.reads).toBe(reads + 1000)
    expect(errors).toHaveLength(1)
    await redis.kill('SIGCONT')
    await expectHits(getBook)
    expect(await backend.stats()).toMatchObject({ breaker: 'closed' })
  })

  it('gives nothing out of its L1 that an invalidation named which Redis refused', async () => {
    const { client, backend, db, getBook } = await open(redis.port)
    await client.config('SET', 'min-replicas-to-write', '1')
    await expect(invalidate({ tags: ['books'], backend })).rejects.toThrow(InvalidationUnconfirmedError)
    db.title = 'Emma'
    expect(await getBook.lookup()).toEqual({ value: 'Emma', status: 'miss' })
    await client.config('SET', 'min-replicas-to-write', '0')
    await expectHits(getBook)
    expect(await getBook()).toBe('Emma')
  })

  it('goes on giving what it holds while Redis refuses to write, and still invalidates', async () => {
    const { client, backend, db, getBook } = await open(redis.port)
    await client.config('SET', 'maxmemory', '1')
    expect(await getBook.lookup()).toEqual({ value: 'Dune', status: 'hit' })
    db.title = 'Emma'
    await invalidate({ tags: ['books'], backend })
    expect(await getBook()).toBe('Emma')
  })

  it('gives values where the key holds another type meanwhile, and others as before', async () => {
    const { client, backend, db, getBook } = await open(redis.port)
    const getOther = cache({ ttl: 60, backend }, async function getOther() {
      return 'other'
    })
    await getOther()
    const key = `relaycache:{${getBook.keyOf()}}`
    await client.del(key)
    await client.rpush(key, 'a list')
    db.title = 'Emma'
    const [book, other] = await Promise.all([getBook.lookup(), getOther.lookup()])
    expect(book).toEqual({ value: 'Emma', status: 'miss' })
    expect(other).toEqual({ value: 'other', status: 'hit' })
    expect(errors.map(({ code }) => code)).toEqual(['RELAYCACHE_BACKEND_FAILED'])
  })

  describeWith('redis', 'behind a line that breaks', () => {
    let proxy: TcpProxy
    beforeEach(async () => {
      proxy = await startTcpProxy({ host: redis.host, port: redis.port })
    })
    afterEach(() => proxy.stop())

    it('gives nothing out of its L1 while the line is silent, and nothing that was invalidated then', async () => {
      const { db, getBook } = await open(proxy.port)
      const elsewhere = await open(redis.port)
      proxy.halfOpen(true)
      expect(await getBook.lookup()).toEqual({ value: 'Dune', status: 'miss' })
      await invalidate({ tags: ['books'], backend: elsewhere.backend })
      db.title = 'Emma'
      proxy.cut()
      proxy.halfOpen(false)
      await eventually(async () => {
        const { value, status } = await getBook.lookup()
        expect(value).toBe('Emma')
        return status === 'hit'
      })
    })

    it('never gives what an unconfirmed invalidation named, and sends that again', async () => {
      const { backend, db, getBook } = await open(proxy.port)
      const elsewhere = await open(redis.port)
      proxy.refuse(true)
      proxy.cut()
      db.title = 'Emma'
      await expect(invalidate({ tags: ['books'], backend })).rejects.toThrow(InvalidationUnconfirmedError)
      expect(await elsewhere.getBook()).toBe('Dune')
      proxy.refuse(false)
      await eventually(async () => {
        const { value, status } = await getBook.lookup()
        expect(value).toBe('Emma')
        return status === 'hit'
      })
      expect(await elsewhere.getBook()).toBe('Emma')
    })
  })
})
