import { describeWith, eventually, startRedisCluster } from '@outrider/test-kit'
import { Redis, type Cluster } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  cache,
  InMemoryCache,
  invalidate,
  type CacheOptions,
  type OnError,
  type RelayCacheError,
} from '../src/index.ts'
import { RedisCache, type RedisClient } from '../src/redis/index.ts'
import { latch, type Latch } from './latch.ts'
import { connectCluster } from './redis-clients.ts'
import { useRedis } from './use-redis.ts'

type Options = Partial<CacheOptions<[id: number]>> & { onError?: OnError }

/** A cached function as one of several processes has it: with a client, a backend and flights of its own. */
function openProcess<T>(client: RedisClient, fn: (id: number) => Promise<T>, options: Options = {}) {
  const { onError, ...given } = options
  const backend = new RedisCache(client, { deadline: '10s', onError })
  const getBook = cache(
    {
      ttl: 60,
      backend,
      tags: ['books'],
      key: 'book',
      distributedSingleflight: true,
      distLockTtl: 30,
      distLockTimeout: 30,
      ...given,
    },
    fn,
  )
  return { backend, getBook }
}

describe('the options of distributed singleflight', () => {
  it.each([
    [{ distributedSingleflight: 'yes' }, 'Expected distributedSingleflight to be a boolean'],
    [{ distLockTtl: 0 }, 'Expected distLockTtl to be a number of seconds'],
    [{ distLockTimeout: '2 s' }, 'Expected distLockTimeout to be a number of seconds'],
    [
      { distLockTtl: 5, distributedSingleflight: undefined },
      'Expected the option distributedSingleflight with distLockTtl',
    ],
    [
      { distLockTimeout: 5, distributedSingleflight: undefined },
      'Expected the option distributedSingleflight with distLockTimeout',
    ],
  ])('are checked when a function is wrapped: %o', (options, message) => {
    const wrapped = (): unknown =>
      cache({ ttl: 1, key: 'a', distributedSingleflight: true, ...(options as object) }, () => 1)
    expect(wrapped).toThrow(message)
  })

  it('may be given where it is switched off', () => {
    const options = { distributedSingleflight: false, distLockTtl: 5, distLockTimeout: 5 }
    expect(() => cache({ ttl: 1, key: 'a', ...options }, () => 1)).not.toThrow()
  })

  it('change nothing for a cache in memory', async () => {
    let runs = 0
    const get = cache(
      { ttl: 1, key: 'a', backend: new InMemoryCache(), distributedSingleflight: true },
      async () => (runs += 1),
    )
    expect(await Promise.all([get(), get()])).toEqual([1, 1])
  })
})

describeWith('redis', 'distributed singleflight', () => {
  const server = useRedis({ args: ['--maxmemory', '0'] })
  let client: Redis
  let runs: number
  let gate: Latch
  beforeEach(async () => {
    ;({ client } = server)
    await client.flushall()
    runs = 0
    gate = latch()
  })
  afterEach(() => {
    vi.useRealTimers()
    gate.open()
  })

  async function openProcesses<T>(count: number, fn: (id: number) => Promise<T>, options: Options = {}) {
    const opened = await Promise.all(Array.from({ length: count }, () => server.open()))
    return opened.map((one) => openProcess(one, fn, options).getBook)
  }

  const locks = async () => client.keys('*:l:*')

  const readNumber = async (_id: number) => {
    runs += 1
    const run = runs
    await gate.opened
    return { run }
  }

  /** Resolves once a run is under way and so many connections wait for locks. */
  async function untilWaiting(connections: number): Promise<void> {
    await eventually(async () => {
      expect(runs).toBeGreaterThan(0)
      let waiting = 0
      for (const channel of (await client.pubsub('CHANNELS', '*:l:*')) as string[]) {
        waiting += Number((await client.pubsub('NUMSUB', channel))[1])
      }
      expect(waiting).toBe(connections)
    })
  }

  it('runs the function once for all callers of several processes, and leaves no lock', async () => {
    const processes = await openProcesses(3, readNumber)
    const calls = processes.flatMap((getBook) => Array.from({ length: 50 }, () => getBook(1)))
    await untilWaiting(2)
    expect(await locks()).toHaveLength(1)
    expect(await client.pttl((await locks())[0] ?? '')).toBeGreaterThan(0)
    gate.open()
    for (const value of await Promise.all(calls)) expect(value).toEqual({ run: 1 })
    expect(runs).toBe(1)
    expect(await locks()).toEqual([])
    await eventually(async () => expect(await client.pubsub('CHANNELS', '*')).toEqual([]))
  })

  it('gives each caller a value of its own, also one that another process computed', async () => {
    const processes = await openProcesses(2, readNumber)
    const calls = processes.flatMap((getBook) => [getBook(1), getBook(1), getBook(1)])
    await untilWaiting(1)
    gate.open()
    const values = await Promise.all(calls)
    expect(new Set(values).size).toBe(values.length)
  })

  it('takes the value of another process that was stored between its look and its request for the lock', async () => {
    const [fast] = await openProcesses(1, readNumber)
    const slow = latch()
    const requested = latch()
    const held = new Proxy(await server.open(), {
      get(target, property) {
        const member: unknown = Reflect.get(target, property, target)
        if (property !== 'eval') return typeof member === 'function' ? member.bind(target) : member
        return async (...args: [script: string, keyCount: number]) => {
          if (args[0].includes("'NX'")) {
            requested.open()
            await slow.opened
          }
          return target.eval(...args)
        }
      },
    })
    const late = openProcess(held, readNumber).getBook(1)
    await requested.opened
    gate.open()
    expect(await fast?.(1)).toEqual({ run: 1 })
    slow.open()
    expect(await late).toEqual({ run: 1 })
    expect(runs).toBe(1)
  })

  it('works with clients that have a keyPrefix', async () => {
    const opened = await Promise.all([server.open({ keyPrefix: 'app:' }), server.open({ keyPrefix: 'app:' })])
    const calls = opened.map((one) => openProcess(one, readNumber).getBook(1))
    await untilWaiting(1)
    gate.open()
    expect(await Promise.all(calls)).toEqual([{ run: 1 }, { run: 1 }])
  })

  it('works for a user who may neither listen nor publish, by looking from time to time', async () => {
    await client.call('ACL', 'SETUSER', 'default', 'resetchannels')
    try {
      const processes = await openProcesses(2, readNumber)
      const calls = processes.map((getBook) => getBook(1))
      await eventually(() => runs === 1)
      gate.open()
      expect(await Promise.all(calls)).toEqual([{ run: 1 }, { run: 1 }])
    } finally {
      await client.call('ACL', 'SETUSER', 'default', 'allchannels')
    }
  })

  describe('and invalidations', () => {
    it('lets a caller who comes after one compute at once, and serves nothing from before', async () => {
      let title = 'Dune'
      const readTitle = async () => {
        runs += 1
        const read = title
        if (runs === 1) await gate.opened
        return read
      }
      const [before, after] = await openProcesses(2, readTitle)
      const old = before?.(1)
      await eventually(() => runs === 1)
      title = 'Emma'
      await invalidate({ tags: ['books'], backend: new RedisCache(client, { deadline: '10s' }) })
      expect(await after?.(1)).toBe('Emma')
      gate.open()
      expect(await old).toBe('Dune')
      expect(await before?.(1)).toBe('Emma')
      expect(await locks()).toEqual([])
    })

    it('does not take the lock of a value that was deleted after a look', async () => {
      const [leader] = await openProcesses(1, readNumber)
      const leading = leader?.(1)
      await eventually(() => runs === 1)
      const requested = latch()
      const slow = latch()
      let requests = 0
      const late = new Proxy(await server.open(), {
        get(target, property) {
          const member: unknown = Reflect.get(target, property, target)
          if (property !== 'eval') return typeof member === 'function' ? member.bind(target) : member
          return async (...args: [script: string, keyCount: number]) => {
            if (args[0].includes("'NX'")) requests += 1
            if (requests === 2) {
              requested.open()
              await slow.opened
            }
            return target.eval(...args)
          }
        },
      })
      const waiting = openProcess(late, readNumber).getBook(1)
      await requested.opened
      const { getBook } = openProcess(client, readNumber)
      await getBook.invalidate(1)
      gate.open()
      expect(await leading).toEqual({ run: 1 })
      await eventually(async () => expect(await locks()).toEqual([]))
      slow.open()
      expect(await waiting).toEqual({ run: 2 })
      expect(await getBook.peek(1)).toEqual({ hit: true, value: { run: 2 } })
    })

    it.each(['a tag', 'the value', 'everything'])(
      'gives the processes that waited a value from after one of %s',
      async (what) => {
        const processes = await openProcesses(3, readNumber)
        const calls = processes.map(async (getBook) => getBook(1))
        await untilWaiting(2)
        const { backend, getBook } = openProcess(client, readNumber)
        if (what === 'a tag') await invalidate({ tags: ['books'], backend })
        else if (what === 'the value') await getBook.invalidate(1)
        else await backend.clear()
        gate.open()
        const values = await Promise.all(calls)
        expect(values.toSorted((a, b) => a.run - b.run)).toEqual([{ run: 1 }, { run: 2 }, { run: 2 }])
        expect(await getBook.peek(1)).toEqual({ hit: true, value: { run: 2 } })
      },
    )

    it('gives a value from after one also when the connection that listens is killed at the same time', async () => {
      const processes = await openProcesses(3, readNumber)
      const calls = processes.map(async (getBook) => getBook(1))
      await untilWaiting(2)
      const { backend, getBook } = openProcess(client, readNumber)
      const killed = client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await Promise.all([killed, invalidate({ tags: ['books'], backend })])
      gate.open()
      const values = await Promise.all(calls)
      expect(values.toSorted((a, b) => a.run - b.run)).toEqual([{ run: 1 }, { run: 2 }, { run: 2 }])
      expect(await getBook.lookup(1)).toEqual({ value: { run: 2 }, status: 'hit' })
    })

    it('keeps a refresh from taking what another process computes', async () => {
      const [reader, refresher] = await openProcesses(2, async () => {
        runs += 1
        const run = runs
        if (run === 1) await gate.opened
        return run
      })
      const old = reader?.(1)
      await eventually(() => runs === 1)
      expect(await refresher?.refresh(1)).toBe(2)
      gate.open()
      expect(await old).toBe(1)
      expect(await reader?.(1)).toBe(2)
    })
  })

  it('computes a stale value anew in one process', async () => {
    const processes = await openProcesses(2, readNumber, { grace: '10m' })
    gate.open()
    await Promise.all(processes.map((getBook) => getBook(1)))
    gate = latch()
    const backend = new RedisCache(client, { deadline: '10s' })
    await invalidate({ tags: ['books'], backend, soft: true })
    for (const getBook of processes) expect((await getBook.lookup(1)).status).toBe('stale')
    await untilWaiting(1)
    expect(runs).toBe(2)
    gate.open()
    for (const getBook of processes) {
      await eventually(async () =>
        expect(await getBook.lookup(1)).toEqual({ value: { run: 2 }, status: 'hit' }),
      )
    }
    expect(runs).toBe(2)
  })

  describe('when the process that computes fails', () => {
    it('runs the function once in every process that waited, all together', async () => {
      const together = latch()
      const processes = await openProcesses(3, async () => {
        runs += 1
        const run = runs
        if (run === 1) await gate.opened
        else if (run === 3) together.open()
        if (run > 1) await together.opened
        throw new Error(`failed in run ${run}`)
      })
      const calls = processes.flatMap((getBook) => [getBook(1), getBook(1)])
      await untilWaiting(2)
      gate.open()
      const results = await Promise.allSettled(calls)
      expect(results.every(({ status }) => status === 'rejected')).toBe(true)
      expect(runs).toBe(3)
      expect(await locks()).toEqual([])
    })

    it('does not wait for the end of its errorTtl', async () => {
      const options = { errorTtl: 60 } satisfies Options
      const processes = await openProcesses(
        2,
        async () => {
          runs += 1
          if (runs > 1) return runs
          await gate.opened
          throw new Error('failed')
        },
        options,
      )
      const calls = Promise.allSettled(processes.map((getBook) => getBook(1)))
      await untilWaiting(1)
      gate.open()
      expect((await calls).map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    })

    it('stores what another one then computed', async () => {
      const processes = await openProcesses(2, async () => {
        runs += 1
        if (runs > 1) return runs
        await gate.opened
        throw new Error('failed')
      })
      const calls = Promise.allSettled(processes.map((getBook) => getBook(1)))
      await untilWaiting(1)
      gate.open()
      await calls
      expect(await processes[0]?.peek(1)).toEqual({ hit: true, value: 2 })
    })
  })

  it.each([
    ['is no plain data', Symbol('book'), {}],
    ['has no tags', 'book', { resultTags: () => [''] }],
  ])('runs the function in every process when the value %s', async (_, value, options) => {
    const processes = await openProcesses(
      2,
      async () => {
        runs += 1
        await gate.opened
        return value
      },
      { onError: () => undefined, ...options },
    )
    const calls = processes.map((getBook) => getBook(1))
    await untilWaiting(1)
    gate.open()
    expect(await Promise.all(calls)).toEqual([value, value])
    expect(runs).toBe(2)
  })

  it('runs the function itself once it has waited for distLockTimeout', async () => {
    const [first, second] = await openProcesses(
      2,
      async () => {
        runs += 1
        const run = runs
        if (run === 1) await gate.opened
        return run
      },
      { distLockTimeout: '200ms' },
    )
    const computing = first?.(1)
    await eventually(() => runs === 1)
    expect(await second?.(1)).toBe(2)
    expect(await second?.peek(1)).toEqual({ hit: true, value: 2 })
    gate.open()
    expect(await computing).toBe(1)
  })

  it('is held up no longer than distLockTimeout by a function of another process that never settles', async () => {
    const neverAtFirst = async () => {
      runs += 1
      if (runs === 1) await new Promise(() => undefined)
      return runs
    }
    const [stuck, second] = await openProcesses(2, neverAtFirst, { distLockTimeout: '200ms' })
    const [patient] = await openProcesses(1, neverAtFirst, { distLockTimeout: 60 })
    void stuck?.(1)
    await eventually(() => runs === 1)
    expect(await second?.lookup(1)).toEqual({ value: 2, status: 'miss' })
    for (const getBook of [stuck, second, patient]) {
      expect(await getBook?.lookup(1)).toEqual({ value: 2, status: 'hit' })
    }
    // The lock is still held and renewed, but it is that of a value which is gone.
    expect(await locks()).toHaveLength(1)
    await client.del(`relaycache:{${patient?.keyOf(1)}}`)
    expect(await patient?.lookup(1)).toEqual({ value: 3, status: 'miss' })
  })

  it('gives and does not store what it computed without its lock', async () => {
    const [getBook] = await openProcesses(1, readNumber)
    const value = getBook?.(1)
    await eventually(() => runs === 1)
    expect(await client.del(await locks())).toBe(1)
    gate.open()
    expect(await value).toEqual({ run: 1 })
    expect(await getBook?.peek(1)).toEqual({ hit: false })
  })

  it('leaves the lock of another one alone when it has lost its own', async () => {
    const [getBook] = await openProcesses(1, async () => {
      runs += 1
      await gate.opened
      throw new Error('failed')
    })
    const value = getBook?.(1)
    await eventually(() => runs === 1)
    const [lock = ''] = await locks()
    await client.set(lock, 'another', 'PX', 60_000)
    gate.open()
    await expect(value).rejects.toThrow('failed')
    expect(await client.get(lock)).toBe('another')
  })

  it('renews its lock while the function runs, and takes over one that expires', async () => {
    const processes = await openProcesses(2, readNumber, { distLockTtl: '2s' })
    const calls = processes.map((getBook) => getBook(1))
    await untilWaiting(1)
    const [lock = ''] = await locks()
    await eventually(async () => (await client.pttl(lock)) < 1500)
    await eventually(async () => (await client.pttl(lock)) > 1500)
    expect(runs).toBe(1)
    await client.pexpire(lock, 1)
    await eventually(() => runs === 2)
    gate.open()
    const values = await Promise.all(calls)
    expect(new Set(values.map(({ run }) => run))).toEqual(new Set([1, 2]))
    expect(await processes[0]?.peek(1)).toEqual({ hit: true, value: { run: 2 } })
  })

  it('renews a lock of a long ttl once a minute, and no sooner', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const own = await server.open()
    const value = openProcess(own, readNumber, { distLockTtl: '52w' }).getBook(1)
    await eventually(() => runs === 1)
    const [lock = ''] = await locks()
    await client.pexpire(lock, 60_000)
    const sent = vi.spyOn(own, 'eval')
    vi.advanceTimersByTime(59_999)
    expect(sent).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(sent).toHaveBeenCalledTimes(1)
    await eventually(async () => (await client.pttl(lock)) > 60_000)
    gate.open()
    expect(await value).toEqual({ run: 1 })
  })

  it('looks for itself when the connection that listens was killed', async () => {
    const processes = await openProcesses(2, readNumber)
    const calls = processes.map((getBook) => getBook(1))
    await untilWaiting(1)
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    gate.open()
    expect(await Promise.all(calls)).toEqual([{ run: 1 }, { run: 1 }])
  })

  it('needs no script that Redis remembers', async () => {
    const processes = await openProcesses(2, readNumber)
    const calls = processes.map((getBook) => getBook(1))
    await untilWaiting(1)
    await client.script('FLUSH')
    gate.open()
    expect(await Promise.all(calls)).toEqual([{ run: 1 }, { run: 1 }])
  })

  it('closes the connection that listens once nobody has listened for 10 s', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const processes = await openProcesses(2, readNumber)
    const calls = processes.map((getBook) => getBook(1))
    await untilWaiting(1)
    gate.open()
    await Promise.all(calls)
    const disconnect = vi.spyOn(Redis.prototype, 'disconnect')
    vi.advanceTimersByTime(9_999)
    expect(disconnect).not.toHaveBeenCalled()
    expect(await client.client('LIST')).toMatch(/cmd=(un)?subscribe/)
    vi.advanceTimersByTime(1)
    expect(disconnect).toHaveBeenCalledTimes(1)
    disconnect.mockRestore()
    await eventually(async () => expect(await client.client('LIST')).not.toMatch(/cmd=(un)?subscribe/))
  })

  it('closes the connection that listens when the client is closed', async () => {
    const opened = await Promise.all([server.open(), server.open()])
    const calls = opened.map((one) => openProcess(one, readNumber).getBook(1))
    await untilWaiting(1)
    gate.open()
    await Promise.all(calls)
    expect(await client.client('LIST')).toMatch(/cmd=(un)?subscribe/)
    for (const one of opened) one.disconnect()
    await eventually(async () => expect(await client.client('LIST')).not.toMatch(/cmd=(un)?subscribe/))
  })

  it('gives values while Redis refuses to write', async () => {
    const errors: RelayCacheError[] = []
    const { getBook } = openProcess(await server.open(), async () => 'value', {
      onError: (error) => errors.push(error),
    })
    await client.config('SET', 'maxmemory', '1')
    expect(await getBook(1)).toBe('value')
    await client.config('SET', 'maxmemory', '0')
    expect(errors.length).toBeGreaterThan(0)
    expect((await getBook.lookup(1)).status).toBe('miss')
    expect((await getBook.lookup(1)).status).toBe('hit')
  })
})

describeWith('redis', 'distributed singleflight in a Cluster', () => {
  it('runs the function once for each key, and hears of failures', async () => {
    await using nodes = await startRedisCluster()
    const clients: Cluster[] = await Promise.all([connectCluster(nodes.nodes), connectCluster(nodes.nodes)])
    const gate = latch()
    const runs: number[] = []
    const errors: RelayCacheError[] = []
    const processes = clients.map((client) => {
      const readId = async (id: number) => {
        runs.push(id)
        await gate.opened
        if (id < 5) throw new Error('failed')
        return id
      }
      return openProcess(client, readId, { onError: (error) => errors.push(error) }).getBook
    })
    const calls = Array.from({ length: 20 }, (_, id) => processes.map((getBook) => getBook(id))).flat()
    const settled = Promise.allSettled(calls)
    await eventually(() => runs.length === 20)
    gate.open()
    expect((await settled).filter(({ status }) => status === 'fulfilled')).toHaveLength(30)
    expect(errors).toEqual([])
    expect(runs.filter((id) => id >= 5)).toHaveLength(15)
    expect(runs.filter((id) => id < 5)).toHaveLength(10)
    for (const client of clients) client.disconnect()
  })
})
