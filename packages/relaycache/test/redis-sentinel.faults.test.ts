import { once } from 'node:events'
import { describeWith, eventually, startRedisSentinel, type TestRedisSentinel } from '@outrider/test-kit'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { invalidate } from '../src/index.ts'
import { enterShop, isConfirmed, openShop } from './book-shop.ts'
import { connect } from './redis-clients.ts'

const BOOKS = 'relaycache:meta:t:books'
const limits = { timeout: 120_000 }
const failover = { timeoutMs: 30_000 }

describeWith('redis', 'values in a RedisCache on a client with Sentinels', () => {
  let servers: TestRedisSentinel
  let clients: Redis[]
  beforeEach(async () => {
    servers = await startRedisSentinel()
    clients = []
  })
  afterEach(async () => {
    for (const client of clients) client.disconnect()
    await servers.stop()
  })

  async function open(): Promise<Redis> {
    const client = new Redis({
      sentinels: [...servers.sentinels],
      name: servers.name,
      enableOfflineQueue: false,
      // What is sent again shall be sent by the cache.
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => 50,
      sentinelRetryStrategy: () => 50,
    })
    clients.push(client)
    client.on('error', () => undefined)
    await once(client, 'ready')
    return client
  }

  it('are given during a failover, and cached and invalidated again after it', limits, async () => {
    const shop = openShop()
    const options = { deadline: '500ms', invalidateDeadline: '500ms' } as const
    const here = enterShop(shop, await open(), options)
    const elsewhere = enterShop(shop, await open(), options)
    await here.getBook(1)
    expect(await elsewhere.getBook.lookup(1)).toEqual({ value: 'Dune', status: 'hit' })
    expect(await here.client.wait(1, 10_000)).toBe(1)

    await servers.killMaster()
    for (let edition = 2; edition < 20; edition += 1) {
      shop.title = `Dune, edition ${edition}`
      expect(await here.getBook.lookup(1)).toEqual({ value: shop.title, status: 'miss' })
    }
    shop.title = 'Emma'
    await eventually(
      async () => isConfirmed(invalidate({ tags: ['books'], backend: here.backend })),
      failover,
    )
    for (const { getBook } of [here, elsewhere]) {
      await eventually(async () => {
        expect(await getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
      }, failover)
    }
    shop.title = 'Persuasion'
    await invalidate({ tags: ['books'], backend: elsewhere.backend })
    expect(await here.getBook.lookup(1)).toEqual({ value: 'Persuasion', status: 'miss' })
  })

  it('go once the new master has an invalidation that the old one could not confirm', limits, async () => {
    const shop = openShop()
    const options = { deadline: '500ms', invalidateDeadline: '500ms' } as const
    const writer = enterShop(shop, await open(), options)
    const reader = enterShop(shop, await open(), options)
    await reader.getBook(1)
    expect(await reader.client.wait(1, 10_000)).toBe(1)
    const replica = await connect(servers.replica.port)
    clients.push(replica)

    await servers.killMaster()
    shop.title = 'Emma'
    await expect(invalidate({ tags: ['books'], backend: writer.backend })).rejects.toMatchObject({
      code: 'RELAYCACHE_INVALIDATION_UNCONFIRMED',
    })
    expect(await replica.exists(BOOKS)).toBe(1)
    // Nobody reads: it is the writer that sends it again.
    await eventually(async () => expect(await replica.exists(BOOKS)).toBe(0), failover)
    for (const { getBook } of [reader, writer]) {
      await eventually(async () => {
        expect(await getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
      }, failover)
    }
  })
})
