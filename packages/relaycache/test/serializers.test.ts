import { describeWith } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { beforeEach, describe, expect, it } from 'vitest'
import { cache } from '../src/index.ts'
import { msgpackSerializer } from '../src/msgpack/index.ts'
import { jsonSerializer, RedisCache, type RedisCacheOptions } from '../src/redis/index.ts'
import { useRedis } from './use-redis.ts'

describeWith('redis', 'values in Redis', () => {
  const server = useRedis()
  let client: Redis
  beforeEach(async () => {
    ;({ client } = server)
    await client.flushall()
  })

  const create = (options: RedisCacheOptions = {}): RedisCache =>
    new RedisCache(client, { valuePrefix: 'v:', deadline: '10s', ...options })
  const book = { id: 1, text: 'Dune '.repeat(1000), at: new Date(0), cover: Buffer.alloc(1000) }

  it('take less room when they are compressed, and are read with every setting', async () => {
    const compressing = create({ compressAbove: 1000 })
    await create().set('plain', book)
    await compressing.set('compressed', book)
    expect(await client.strlen('v:{compressed}')).toBeLessThan((await client.strlen('v:{plain}')) / 10)
    for (const backend of [create(), compressing]) {
      for (const key of ['plain', 'compressed']) {
        expect(await backend.get(key)).toStrictEqual({ hit: true, value: book })
      }
    }
  })

  it('of another serializer are a miss, and replaced', async () => {
    const backends = {
      json: create(),
      msgpack: create({ serializer: msgpackSerializer, compressAbove: 100 }),
    }
    const getBook = (backend: RedisCache) =>
      cache({ ttl: 60, backend, key: 'getBook', tags: ['books'] }, async () => book)
    for (const backend of [backends.json, backends.msgpack, backends.json]) {
      expect((await getBook(backend).lookup()).status).toBe('miss')
      expect(await getBook(backend).lookup()).toStrictEqual({ value: book, status: 'hit' })
    }
  })

  describe.each([
    ['json', {}],
    ['json, compressed', { compressAbove: 0 }],
    ['msgpack', { serializer: msgpackSerializer }],
  ] as [string, RedisCacheOptions][])('as %s', (_, options) => {
    it('are a miss once they are damaged or truncated, and replaced', async () => {
      const backend = create(options)
      const get = cache({ ttl: 60, backend, key: 'get', tags: ['t'] }, async () => book)
      await get()
      const name = `v:{${get.keyOf()}}`
      const whole = (await client.getBuffer(name)) ?? expect.fail('Nothing is stored')
      const damages = Array.from({ length: 20 }, (__, index) => Math.floor((whole.length * index) / 20))
      for (const position of damages) {
        await client.set(name, whole.subarray(0, position), 'EX', 60)
        expect(await get.peek()).toEqual({ hit: false })
      }
      const [last = 0] = whole.subarray(-1)
      await client.set(name, Buffer.concat([whole.subarray(0, -1), Buffer.of(last ^ 1)]), 'EX', 60)
      expect((await get.lookup()).status).toBe('miss')
      expect(await get.lookup()).toStrictEqual({ value: book, status: 'hit' })
    })
  })

  it('that a serializer cannot encode are handed out, and reported with the cause', async () => {
    const errors: unknown[] = []
    const cause = new Error('not today')
    const failing = {
      ...jsonSerializer,
      encode(): string {
        throw cause
      },
    }
    const backend = create({ serializer: failing, onError: (error) => errors.push(error) })
    const get = cache({ ttl: 60, backend }, async function get() {
      return 1
    })
    expect(await get()).toBe(1)
    expect(errors).toEqual([expect.objectContaining({ code: 'RELAYCACHE_UNSUPPORTED_VALUE', cause })])
  })
})
