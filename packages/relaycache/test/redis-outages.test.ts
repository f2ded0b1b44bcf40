import { once } from 'node:events'
import { describeWith, eventually, startTcpProxy, type TcpProxy } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cache, InvalidationUnconfirmedError } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import { latch } from './latch.ts'
import type { ClientOptions } from './redis-clients.ts'
import { useRedisForEach } from './use-redis.ts'

const options = { deadline: '500ms', invalidateDeadline: '500ms', onError: () => undefined } as const

describeWith('redis', 'RedisCache, when the connection is back', () => {
  const server = useRedisForEach()
  let proxy: TcpProxy
  beforeEach(async () => {
    proxy = await startTcpProxy(server.redis)
  })
  afterEach(() => proxy.stop())

  async function lose(client: Redis): Promise<void> {
    proxy.refuse(true)
    proxy.cut()
    await eventually(() => client.status !== 'ready')
  }

  async function findAgain(client: Redis): Promise<void> {
    proxy.refuse(false)
    await once(client, 'ready')
  }

  it('sends no command whose caller has given up', async () => {
    const client = await server.open({}, proxy.port)
    const backend = new RedisCache(client, options)
    await lose(client)
    expect(await backend.get('a')).toEqual({ hit: false })
    const rejected = await Promise.allSettled(
      Array.from({ length: 100 }, async () => backend.invalidateTags(['t'])),
    )
    for (const result of rejected) {
      expect(result).toMatchObject({ reason: expect.any(InvalidationUnconfirmedError) })
    }
    expect(client.listenerCount('ready')).toBeLessThan(10)
    const evals = vi.spyOn(client, 'eval')
    const reads = vi.spyOn(client, 'mgetBuffer')
    await findAgain(client)
    await backend.invalidateTags(['u'])
    // That one, and those before it once more, all at once.
    expect(evals.mock.calls.length).toBeLessThanOrEqual(2)
    expect(reads).not.toHaveBeenCalled()
  })

  it('still sends the commands of callers who wait', async () => {
    const client = await server.open({}, proxy.port)
    const backend = new RedisCache(client, { ...options, invalidateDeadline: '10s' })
    const elsewhere = new RedisCache(server.client)
    await elsewhere.set('a', 1, { tags: ['t'] })
    await lose(client)
    const removing = backend.invalidateTags(['t'])
    await findAgain(client)
    await removing
    expect(await elsewhere.get('a')).toEqual({ hit: false })
  })

  describe('leaves no lock', () => {
    /** A function under a lock, computed by a client whose requests pass `send`. */
    async function compute(
      send: (client: Redis, script: string, go: () => Promise<unknown>) => Promise<unknown>,
      fn: () => Promise<number>,
      clientOptions: ClientOptions = {},
    ) {
      const client = await server.open(clientOptions, proxy.port)
      const own = client.eval.bind(client) as (...args: unknown[]) => Promise<unknown>
      vi.spyOn(client, 'eval').mockImplementation(((...args: [string, number]) =>
        send(client, args[0], async () => own(...args))) as never)
      const backend = new RedisCache(client, options)
      const get = cache(
        { ttl: 60, key: 'f', backend, distributedSingleflight: true, distLockTtl: 60, distLockTimeout: 60 },
        fn,
      )
      return { client, value: get() }
    }

    const locks = async () => server.client.keys('*:l:*')
    const isTake = (script: string) => script.includes("'NX'")

    it('when the reply to the one who takes it is lost', async () => {
      const { value } = await compute(
        async (_, script, go) => {
          const reply = await go()
          if (!isTake(script)) return reply
          expect(await locks()).toHaveLength(1)
          throw new Error('Connection is closed.')
        },
        async () => 1,
      )
      expect(await value).toBe(1)
      await eventually(async () => expect(await locks()).toEqual([]))
    })

    it('when the client takes it once more for a caller who has given up', async () => {
      const taken = latch()
      const { client, value } = await compute(
        async (_, script, go) => {
          if (!isTake(script)) return go()
          proxy.halfOpen(true)
          return go().then((reply) => {
            expect(reply).toBe('taken')
            taken.open()
            return reply
          })
        },
        async () => 1,
      )
      expect(await value).toBe(1)
      proxy.halfOpen(false)
      await lose(client)
      await findAgain(client)
      await taken.opened
      await eventually(async () => expect(await locks()).toEqual([]))
    })

    it('when it is to be ended while there is no connection', async () => {
      const running = latch()
      const go = latch()
      let sentInVain = 0
      const { client, value } = await compute(
        async ({ status }, _script, send) => {
          if (status !== 'ready') sentInVain += 1
          return send()
        },
        async () => {
          running.open()
          await go.opened
          throw new Error('failed')
        },
      )
      const failed = expect(value).rejects.toThrow('failed')
      await running.opened
      await lose(client)
      go.open()
      await failed
      expect(await locks()).toHaveLength(1)
      await findAgain(client)
      await eventually(async () => expect(await locks()).toEqual([]))
      expect(sentInVain).toBe(0)
    })

    it.each([true, false])(
      'when it could not be ended at the time, with autoResendUnfulfilledCommands: %s',
      async (autoResendUnfulfilledCommands) => {
        const running = latch()
        const go = latch()
        const { client, value } = await compute(
          async (_client, _script, send) => send(),
          async () => {
            running.open()
            await go.opened
            throw new Error('failed')
          },
          { autoResendUnfulfilledCommands },
        )
        const failed = expect(value).rejects.toThrow('failed')
        await running.opened
        expect(await locks()).toHaveLength(1)
        proxy.halfOpen(true)
        go.open()
        await failed
        await lose(client)
        proxy.halfOpen(false)
        expect(await locks()).toHaveLength(1)
        await findAgain(client)
        await eventually(async () => expect(await locks()).toEqual([]))
      },
    )
  })
})

describeWith('redis', 'More unconfirmed invalidations than Redis is sent at once', () => {
  const server = useRedisForEach()

  afterEach(() => {
    vi.useRealTimers()
  })

  it('are all sent again, for the caches with the same metaPrefix as well', async () => {
    const shared = { ...options, metaPrefix: 'meta:' }
    const backend = new RedisCache(await server.open(), { ...shared, valuePrefix: 'a:' })
    const other = new RedisCache(server.client, { ...shared, valuePrefix: 'b:', deadline: '10s' })
    const tags = Array.from({ length: 12_000 }, (_, index) => `tag${index}`)
    const first = tags.at(0) ?? expect.fail()
    const last = tags.at(-1) ?? expect.fail()
    await other.set('first', 1, { tags: [first] })
    await other.set('last', 1, { tags: [last] })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await server.client.call('ACL', 'SETUSER', 'default', '-eval')
    await expect(backend.invalidateTags(tags)).rejects.toThrow(InvalidationUnconfirmedError)
    expect(await other.get('last')).toEqual({ hit: true, value: 1 })
    const evals = vi.spyOn(backend.client, 'eval')
    await server.client.call('ACL', 'SETUSER', 'default', '+eval')
    vi.advanceTimersByTime(1000)
    for (const key of ['first', 'last']) {
      await eventually(async () => expect(await other.get(key)).toEqual({ hit: false }))
    }
    // Else a value that got its tags from its result could be stored between two of them.
    for (const [, , ...keys] of evals.mock.calls) expect(keys).toContain('meta:any')
    await eventually(async () => expect(await backend.set('a', 1, { tags: [first, last] })).toBe(true))
  })
})
