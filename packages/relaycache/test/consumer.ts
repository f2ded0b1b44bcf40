// What a user writes, from ES modules and from CommonJS, against the installed package.
import assert from 'node:assert/strict'
import {
  cache,
  InMemoryCache,
  invalidate,
  InvalidationUnconfirmedError,
  isRelayCacheError,
  type CachedFunction,
} from '@outrider/relaycache'
import { cacheView } from '@outrider/relaycache/http'
import { RedisCache, type RedisClient } from '@outrider/relaycache/redis'
import { backendContract } from '@outrider/relaycache/testing'

async function main(): Promise<void> {
  const backend = new InMemoryCache({ defaultTtl: '1h' })
  let computed = 0
  const getBook: CachedFunction<[id: number], { id: number }> = cache(
    { ttl: '30m', backend, tags: (id) => [`book:${id}`] },
    async function getBook(id: number) {
      computed += 1
      return { id }
    },
  )
  await Promise.all([getBook(1), getBook(1)])
  assert.equal(computed, 1)
  assert.equal((await getBook.lookup(1)).status, 'hit')
  await invalidate({ tags: ['book:1'], backend })
  assert.deepEqual(await getBook.peek(1), { hit: false })
  await assert.rejects(
    cache({ ttl: 1, key: 'symbols' }, (x: symbol) => x.toString())(Symbol('no')),
    isRelayCacheError,
  )

  const list = cacheView({ ttl: '30m', backend })(async () => Response.json([{ id: 1 }]))
  for (const source of ['MISS', 'HIT']) {
    const response = await list(new Request('http://localhost/books'))
    assert.equal(response.headers.get('x-cache'), source)
  }

  const [firstCase] = backendContract((options) => new InMemoryCache(options))
  await firstCase?.run()

  // The entries share their classes.
  const closed = { status: 'end', isCluster: false, options: { enableOfflineQueue: false }, mgetBuffer() {} }
  await assert.rejects(
    invalidate({ tags: ['books'], backend: new RedisCache(closed as unknown as RedisClient) }),
    (error) => error instanceof InvalidationUnconfirmedError,
  )
}

void main()
