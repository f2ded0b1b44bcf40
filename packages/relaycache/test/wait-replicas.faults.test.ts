import { setTimeout as pause } from 'node:timers/promises'
import {
  describeWith,
  eventually,
  startRedis,
  startRedisCluster,
  startTcpProxy,
  type TestRedis,
} from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cache, invalidate, type CacheBackend } from '../src/index.ts'
import { RedisCache, type RedisCacheOptions, type RedisClient } from '../src/redis/index.ts'
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

  // Tried again: a busy machine may need longer than the default deadline for a read.
  it('does not hold up readers on the same connection', { retry: 2 }, async () => {
    const { client, backend } = await enter()
    // With nothing else to do, Redis ends a WAIT that is over with its next timer: now once a second.
    await master.client.config('SET', 'hz', 1)
    const reading = new RedisCache(client, { valuePrefix: 'other:' })
    const double = cache({ ttl: 60, backend: reading, key: 'double' }, (n: number) => 2 * n)
    await double(1)
    await second.redis.kill('SIGSTOP')
    const send = vi.spyOn(client, 'eval')
    const invalidated = invalidate({ tags: ['books'], backend })
    const outcome = invalidated.then(
      () => 'confirmed',
      () => 'refused',
    )
    // It is sent again while the replica is away.
    while (send.mock.calls.length < 3) {
      expect(await double.lookup(1)).toEqual({ value: 2, status: 'hit' })
    }
    expect(await outcome).toBe('refused')
    expect(reading.counters.errors).toBe(0)
    expect(backend.breaker).toBe('closed')
  })

  it('does not believe what the server of another connection says of its replicas', async () => {
    await using proxy = await startTcpProxy(master.redis)
    const client = await master.open({}, proxy.port)
    const cut = afterReplies(client, ['eval'], async () => {
      const { stream } = client
      proxy.cut()
      await eventually(() => client.stream !== stream && client.status === 'ready')
    })
    const { backend } = enterShop(shop, cut, { ...options, invalidateDeadline: '5s' })
    await expect(invalidate({ tags: ['books'], backend })).rejects.toMatchObject(refusal('invalidateTags'))
  })

  it('does not believe a server that became a replica after the write', async () => {
    const { client } = await enter()
    await using third = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
    const successor = await connect(third.port)
    await replicate(successor, master.redis)
    await successor.replicaof('NO', 'ONE')
    const demoted = afterReplies(client, ['eval'], () => replicate(master.client, third))
    const { backend } = enterShop(shop, demoted, { ...options, invalidateDeadline: '5s' })
    await expect(invalidate({ tags: ['books'], backend })).rejects.toMatchObject(refusal('invalidateTags'))
    expect(await heldBy(successor)).not.toContain(null)
    successor.disconnect()
  })

  it('does not count the replicas of a replica, which never hear of a write to it', async () => {
    await using third = await startRedis({ args: ['--maxmemory', '0'] })
    const last = await connect(third.port)
    await second.client.config('SET', 'replica-read-only', 'no')
    await second.client.config('SET', 'repl-diskless-sync-delay', '0')
    await replicate(last, second.redis)
    const { backend } = enterShop(shop, await second.open(), options)
    await expect(invalidate({ tags: ['books'], backend })).rejects.toMatchObject(refusal('invalidateTags'))
    last.disconnect()
  })

  it.each<[string, PropertyKey[], RedisCacheOptions['invalidateDeadline'], object]>([
    ['what it asks before the write and the write', ['info', 'eval'], '300ms', { deadlineMs: 300 }],
    ['all that it asks', ['info'], '500ms', {}],
  ])('has one deadline for %s', async (_, commands, invalidateDeadline, exceeded) => {
    const { client } = await enter()
    const slow = afterReplies(client, commands, () => pause(200))
    const { backend } = enterShop(shop, slow, { ...options, invalidateDeadline })
    await expect(invalidate({ tags: ['books'], backend })).rejects.toMatchObject({
      code: 'RELAYCACHE_INVALIDATION_UNCONFIRMED',
      cause: { code: 'RELAYCACHE_DEADLINE_EXCEEDED', ...exceeded },
    })
  })

  it('sends what it cannot confirm because it may not ask', async () => {
    const { backend } = await enter()
    await master.client.acl('SETUSER', 'default', '-info')
    await expect(invalidate({ tags: ['books'], backend })).rejects.toMatchObject({
      code: 'RELAYCACHE_INVALIDATION_UNCONFIRMED',
      cause: { code: 'RELAYCACHE_BACKEND_FAILED', cause: { message: expect.stringContaining('NOPERM') } },
    })
    expect(await heldBy(master.client)).toContain(null)
    expect(backend.breaker).toBe('closed')
  })

  describe('the connection over which it asks for acknowledgements', () => {
    const idsOfThose = async () => {
      const clients = String(await master.client.client('LIST')).matchAll(/^id=(\d+).* cmd=wait /gm)
      return Array.from(clients, ([, id]) => id ?? expect.fail())
    }

    it('is closed with the client', async () => {
      const { client, backend } = await enter()
      await backend.clear()
      await backend.clear()
      expect(await idsOfThose()).toHaveLength(1)
      client.disconnect()
      await eventually(async () => expect(await idsOfThose()).toEqual([]))
    })

    it('does not keep the process alive', async () => {
      const { backend } = await enter()
      const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
      const before = sockets()
      await backend.clear()
      expect(await idsOfThose()).toHaveLength(1)
      expect(sockets()).toBe(before)
    })

    it('is opened anew when it was lost', async () => {
      const { backend } = await enter()
      for (let i = 0; i < 5; i += 1) {
        await backend.clear()
        const [id] = await idsOfThose()
        await master.client.client('KILL', 'ID', id ?? expect.fail())
      }
    })
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

    // A master that takes over slots while an invalidation is under way.
    vi.spyOn(client, 'nodes').mockReturnValueOnce(client.nodes('master').slice(1))
    await expect(here.backend.clear()).rejects.toMatchObject(refusal('clear'))
    await confirmed(here.backend)

    // A master that executed its part, and dies before its replica has it.
    await replicas[1]?.redis.kill('SIGSTOP')
    let unanswered = 0
    const dying = afterReplies(
      client,
      ['eval'],
      async () => {
        unanswered -= 1
        if (unanswered > 0) return
        await nodes.killNode(1)
        await eventually(() => client.nodes('master').length < 3)
      },
      () => (unanswered += 1),
    )
    const { backend } = enterShop(shop, dying, { waitReplicas: 1 })
    const tags = Array.from({ length: 20 }, (_, index) => `tag${index}`)
    await expect(invalidate({ tags, backend })).rejects.toMatchObject(refusal('invalidateTags'))
    client.disconnect()
  })
})

/** A client to which something happens before, or before the caller gets, the replies to some commands. */
function afterReplies<Client extends RedisClient>(
  client: Client,
  commands: readonly PropertyKey[],
  after: () => Promise<unknown>,
  before?: () => void,
): Client {
  return new Proxy(client, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target)
      if (typeof member !== 'function') return member
      if (!commands.includes(property)) return member.bind(target)
      return async (...args: unknown[]) => {
        before?.()
        const reply: unknown = await Reflect.apply(member, target, args)
        await after()
        return reply
      }
    },
  })
}

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
