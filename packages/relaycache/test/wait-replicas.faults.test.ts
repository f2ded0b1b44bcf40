import {
  describeWith,
  eventually,
  startRedis,
  startRedisCluster,
  startTcpProxy,
  type TestRedis,
} from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cache, invalidate, type CacheBackend } from '../src/index.ts'
import { RedisCache, type RedisClient } from '../src/redis/index.ts'
import { enterShop, openShop, type Shop, type ShopProcess } from './book-shop.ts'
import { connect, connectCluster, type ClientOptions } from './redis-clients.ts'
import { replicate } from './replicate.ts'
import { useRedisForEach } from './use-redis.ts'

const BOOKS = 'relaycache:meta:t:books'

/** How an invalidation is refused that too few replicas have. */
const refusal = (operation: string) => ({
  code: 'RELAYCACHE_INVALIDATION_UNCONFIRMED',
  operation,
  cause: { code: 'RELAYCACHE_REPLICAS_BEHIND', wanted: 1, acknowledged: 0 },
})

/** What invalidates the value of `getBook(1)`, and the operation that an error names. */
const removals: [string, (process: ShopProcess<RedisClient>) => Promise<unknown>][] = [
  ['invalidateTags', ({ backend }) => invalidate({ tags: ['books'], backend })],
  ['delete', ({ getBook }) => getBook.invalidate(1)],
  ['clear', ({ backend }) => backend.clear()],
]

describe('the option waitReplicas', () => {
  it.each([-1, 17, 0.5, '1', null, Number.NaN])('must be an integer from 0 to 16, not %j', (waitReplicas) => {
    const client = { mgetBuffer: () => undefined, options: { enableOfflineQueue: false } }
    expect(() => new RedisCache(client as never, { waitReplicas: waitReplicas as never })).toThrow(
      'Expected waitReplicas to be an integer from 0 to 16, got ',
    )
  })
})

describeWith('redis', 'waitReplicas', () => {
  const master = useRedisForEach()
  const second = useRedisForEach()
  let shop: Shop
  beforeEach(async () => {
    shop = openShop()
    await master.client.config('SET', 'repl-diskless-sync-delay', '0')
    await replicate(second.client, master.redis)
  })

  const options = { waitReplicas: 1, invalidateDeadline: '300ms' } as const

  async function enter(clientOptions: ClientOptions = {}) {
    const shopProcess = enterShop(shop, await master.open(clientOptions), options)
    await shopProcess.getBook(1)
    // A client with `stringNumbers` replies '1'.
    expect(`${await shopProcess.client.wait(1, 10_000)}`).toBe('1')
    return shopProcess
  }

  /** Whatever a server holds of the value of `getBook(1)`. */
  const heldBy = (server: Redis) =>
    server.mget('relaycache:{getBook(1)}', BOOKS, 'relaycache:meta:n:relaycache:')

  it.each(removals)('lets %s resolve when a replica has it', async (_, remove) => {
    const here = await enter()
    expect(await heldBy(second.client)).not.toContain(null)
    await remove(here)
    expect(await heldBy(second.client)).toContain(null)
    shop.title = 'Emma'
    expect(await here.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'miss' })
  })

  it('lets a soft invalidation resolve when a replica has it', async () => {
    const { backend } = await enter()
    const token = await second.client.get(BOOKS)
    await invalidate({ tags: ['books'], backend, soft: true })
    expect(await second.client.get(BOOKS)).toHaveLength(2 * (token?.length ?? expect.fail()))
  })

  it.each<[string, ClientOptions]>([
    ['automatic pipelining', { enableAutoPipelining: true }],
    ['replies as strings', { stringNumbers: true }],
    ['a keyPrefix', { keyPrefix: 'app:' }],
  ])('works with a client that has %s', async (_, clientOptions) => {
    const { backend, getBook } = await enter(clientOptions)
    expect(await invalidate({ tags: ['books'], backend })).toEqual({ tags: ['books'], confirmed: true })
    await second.redis.kill('SIGSTOP')
    await expect(getBook.invalidate(1)).rejects.toMatchObject(refusal('delete'))
  })

  it.each(removals)(
    'makes %s reject while a replica is stopped, and sends it again',
    async (operation, remove) => {
      const here = await enter()
      const elsewhere = enterShop(shop, await master.open())
      await second.redis.kill('SIGSTOP')
      shop.title = 'Emma'
      await expect(remove(here)).rejects.toMatchObject(refusal(operation))
      // Redis has it, but this process uses nothing that depends on it before the replica has it, too.
      expect(await elsewhere.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'miss' })
      expect(await here.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'miss' })
      expect(await here.getBook.peek(1)).toEqual({ hit: false })
      expect(here.backend.breaker).toBe('closed')

      await second.redis.kill('SIGCONT')
      await eventually(async () => {
        expect(await here.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
      })
      await remove(here)
      expect(await heldBy(second.client)).toContain(null)
    },
  )

  it('makes a soft invalidation reject while a replica is stopped', async () => {
    const { backend } = await enter()
    await second.redis.kill('SIGSTOP')
    const softened = invalidate({ tags: ['books'], backend, soft: true })
    await expect(softened).rejects.toMatchObject(refusal('invalidateTags'))
  })

  it('makes an invalidation reject after the replica was promoted, until there is one again', async () => {
    const { client, backend } = await enter()
    await second.client.replicaof('NO', 'ONE')
    await expect(invalidate({ tags: ['books'], backend })).rejects.toMatchObject(refusal('invalidateTags'))
    await replicate(second.client, master.redis)
    await client.set('written', 'after the replica came back') // else WAIT takes its old acknowledgement
    expect(await client.wait(1, 10_000)).toBe(1)
    expect(await invalidate({ tags: ['books'], backend })).toEqual({ tags: ['books'], confirmed: true })
  })

  it('does not hold up readers on the same connection', async () => {
    const { client, backend } = await enter()
    const reading = new RedisCache(client, { valuePrefix: 'other:', deadline: '500ms' })
    const double = cache({ ttl: 60, backend: reading, key: 'double' }, (n: number) => 2 * n)
    await double(1)
    await second.redis.kill('SIGSTOP')
    const waiting = new RedisCache(client, { ...options, invalidateDeadline: '2s' })
    const invalidated = invalidate({ tags: ['books'], backend: waiting })
    const outcome = invalidated.then(
      () => 'confirmed',
      () => 'refused',
    )
    for (;;) {
      const first = await Promise.race([outcome, double.lookup(1)])
      if (typeof first === 'string') break
      expect(first).toEqual({ value: 2, status: 'hit' })
    }
    expect(await outcome).toBe('refused')
    expect(reading.counters.errors).toBe(0)
    expect(backend.breaker).toBe('closed')
  })

  it('does not believe what the server of another connection says of its replicas', async () => {
    await using proxy = await startTcpProxy(master.redis)
    const client = await master.open({}, proxy.port)
    const cutAfterWrite = new Proxy(client, {
      get(target, property) {
        const member: unknown = Reflect.get(target, property, target)
        if (property !== 'eval') return typeof member === 'function' ? member.bind(target) : member
        return async (...args: [script: string, keyCount: number]) => {
          const reply = await target.eval(...args)
          const { stream } = target
          proxy.cut()
          await eventually(() => target.stream !== stream && target.status === 'ready')
          return reply
        }
      },
    })
    const { backend } = enterShop(shop, cutAfterWrite, { ...options, invalidateDeadline: '5s' })
    await expect(invalidate({ tags: ['books'], backend })).rejects.toMatchObject(refusal('invalidateTags'))
  })
})

describeWith('redis', 'waitReplicas in a Cluster', () => {
  let replicas: { redis: TestRedis; client: Redis }[]
  beforeEach(() => {
    replicas = []
  })
  afterEach(async () => {
    for (const { client, redis } of replicas) {
      client.disconnect()
      await redis.stop()
    }
  })

  it('asks for replicas of every master', { timeout: 120_000 }, async () => {
    await using nodes = await startRedisCluster({ args: ['--repl-diskless-sync-delay', '0'] })
    const client = await connectCluster(nodes.nodes)
    const shop = openShop()
    const here = enterShop(shop, client, { waitReplicas: 1, invalidateDeadline: '500ms' })
    await eventually(async () => expect((await here.getBook.lookup(1)).status).toBe('hit'))
    await expect(invalidate({ tags: ['books'], backend: here.backend })).rejects.toMatchObject(
      refusal('invalidateTags'),
    )

    for (const { host, port } of nodes.nodes) replicas.push(await addReplica(host, port))
    await confirmed(here.backend)
    shop.title = 'Emma'
    await eventually(async () => {
      expect(await here.getBook.lookup(1)).toEqual({ value: 'Emma', status: 'hit' })
    })

    await replicas[1]?.redis.kill('SIGSTOP')
    shop.title = 'Persuasion'
    await expect(here.backend.clear()).rejects.toMatchObject(refusal('clear'))
    expect(await here.getBook.lookup(1)).toEqual({ value: 'Persuasion', status: 'miss' })
    await replicas[1]?.redis.kill('SIGCONT')
    await confirmed(here.backend)
    client.disconnect()
  })
})

async function confirmed(backend: CacheBackend): Promise<void> {
  await eventually(
    async () =>
      expect(await invalidate({ tags: ['books'], backend })).toEqual({ tags: ['books'], confirmed: true }),
    { timeoutMs: 30_000 },
  )
}

/** Starts a node and makes it a replica of a master of a Cluster. */
async function addReplica(host: string, port: number): Promise<{ redis: TestRedis; client: Redis }> {
  const master = await connect(port)
  const id = String(await master.call('CLUSTER', 'MYID'))
  master.disconnect()
  const redis = await startRedis({ args: ['--cluster-enabled', 'yes'] })
  const client = await connect(redis.port)
  await client.call('CLUSTER', 'MEET', host, port)
  await eventually(async () => expect(await client.call('CLUSTER', 'REPLICATE', id)).toBe('OK'), {
    timeoutMs: 30_000,
  })
  await eventually(async () => expect(await client.info('replication')).toMatch(/link_status:up/), {
    timeoutMs: 30_000,
  })
  return { redis, client }
}
