// What a user writes who has the optional peers, from ES modules and from CommonJS, against the installed package.
import assert from 'node:assert/strict'
import { cache, InMemoryCache } from '@outrider/relaycache'
import { relayDrizzleCache } from '@outrider/relaycache/drizzle'
import { cacheView } from '@outrider/relaycache/express'
import { cacheView as cacheRoute } from '@outrider/relaycache/fastify'
import { msgpackSerializer } from '@outrider/relaycache/msgpack'
import { instrumentCaches, traced } from '@outrider/relaycache/otel'
import { RedisCache } from '@outrider/relaycache/redis'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pg-proxy'
import express from 'express'
import { fastify } from 'fastify'
import { Redis } from 'ioredis'

const books = pgTable('books', { id: integer().primaryKey() })
const backend = new InMemoryCache()

async function main(): Promise<void> {
  let selects = 0
  const queries = relayDrizzleCache({ backend, ttl: '10m' })
  const select = async (): Promise<{ rows: number[][] }> => {
    selects += 1
    return { rows: [[selects]] }
  }
  const db = drizzle(select, { cache: queries })
  for (const id of [1, 1]) assert.deepEqual(await db.select().from(books).$withCache(), [{ id }])
  await queries.write(async () => undefined)

  express().get('/books', cacheView({ backend, ttl: '30m' }))
  let runs = 0
  const app = fastify()
  app.get('/books', cacheRoute({ backend, ttl: '30m' }), async () => ({ run: (runs += 1) }))
  for (const source of ['MISS', 'HIT']) {
    const response = await app.inject('/books')
    assert.equal(response.headers['x-cache'], source)
    assert.deepEqual(response.json(), { run: 1 })
  }
  await app.close()

  const client = new Redis({ lazyConnect: true, enableOfflineQueue: false })
  assert.equal(new RedisCache(client, { serializer: msgpackSerializer }).breaker, 'closed')
  assert.deepEqual(msgpackSerializer.decode(Buffer.from(msgpackSerializer.encode({ id: 1n }))), { id: 1n })
  client.disconnect()

  const instrumentation = instrumentCaches({ backends: { books: backend } })
  const getId = cache(
    { ttl: '30m', backend },
    traced(async function getId(id: number) {
      return id
    }),
  )
  assert.equal(await getId(1), 1)
  instrumentation.close()
}

void main()
