import { describeWith, eventually } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cache, invalidate } from '../src/index.ts'
import { RedisCache, TieredCache, type RedisCacheOptions } from '../src/redis/index.ts'
import { describeBackend } from './backend-contract.ts'
import { latch } from './latch.ts'
import { useRedis } from './use-redis.ts'

/** The oldest version of Redis that is supported. */
const OLDEST = '6.2.0'

/** Since which version Redis knows a command, and each of its options. */
interface CommandHistory {
  readonly since: string
  readonly options: ReadonlyMap<string, string>
}

/** What `COMMAND DOCS` says of a command, or of an argument of one. */
interface Documented {
  readonly since?: string
  readonly token?: string
  readonly arguments?: readonly unknown[][]
}

describeWith('redis', 'what a RedisCache asks of the version of Redis', () => {
  const server = useRedis({ args: ['--maxmemory', '0'] })
  const sent: string[][] = []
  let monitor: Redis
  let watched: Redis
  let caches = 0
  beforeAll(async () => {
    monitor = await server.client.monitor()
    monitor.on('monitor', (_time: string, command: string[]) => sent.push(command))
    watched = server.client.duplicate()
    await eventually(() => watched.status === 'ready')
    // What ioredis says at the start is not ours, and not needed.
    sent.length = 0
  })
  afterAll(() => {
    monitor.disconnect()
    watched.disconnect()
  })

  function open(options: RedisCacheOptions = {}): RedisCache {
    caches += 1
    return new RedisCache(watched, { deadline: '10s', valuePrefix: `cache${caches}:`, ...options })
  }

  describe('while it does what a backend must do', () => {
    describeBackend('RedisCache', open)
    describeBackend('TieredCache', (options) => new TieredCache({ l2: open(options) }))
  })

  it('is no more than Redis 6.2 has', async ({ skip }) => {
    const version = /redis_version:(\S+)/.exec(await server.client.info('server'))?.[1]
    skip(isOlder(version ?? ''), `Redis ${version} tells by errors what it does not have`)
    const go = latch()
    const options = { ttl: 60, key: 'title', tags: ['books'], distributedSingleflight: true }
    const other = server.client.duplicate()
    await eventually(() => other.status === 'ready')
    const processes = [watched, other].map((client) => {
      const backend = new RedisCache(client, { deadline: '10s' })
      return cache({ ...options, backend }, async () => {
        await go.opened
        return 'Dune'
      })
    })
    const titles = processes.map((getTitle) => getTitle())
    await eventually(() => sent.some(([name]) => name === 'subscribe'))
    go.open()
    expect(await Promise.all(titles)).toEqual(['Dune', 'Dune'])
    const alone = new RedisCache(watched, { waitReplicas: 1, invalidateDeadline: '200ms' })
    await expect(invalidate({ tags: ['books'], backend: alone })).rejects.toThrow('did not confirm')
    // It asks over a connection of its own, which may be ready only after that.
    await eventually(() => sent.some(([name]) => name?.toLowerCase() === 'wait'))
    await alone.stats()
    other.disconnect()

    const commands = sent.map(([name = '', ...args]) => ({ name: name.toLowerCase(), args }))
    const names = new Set(commands.map(({ name }) => name).filter((name) => name !== 'client'))
    for (const name of ['mget', 'getrange', 'del', 'eval', 'set', 'pexpire', 'publish', 'wait', 'scan']) {
      expect(names).toContain(name)
    }
    for (const name of names) {
      const history = await historyOf(server.client, name)
      expect(isOlder(history.since), `${name} is of ${history.since}`).toBe(true)
      const used = new Set(commands.filter((command) => command.name === name).flatMap(({ args }) => args))
      for (const [option, since] of history.options) {
        if (used.has(option)) expect(isOlder(since), `${name} ${option} is of ${since}`).toBe(true)
      }
    }
  })
})

function isOlder(version: string): boolean {
  return version.localeCompare(OLDEST, 'en', { numeric: true }) <= 0
}

/** What Redis 7 itself tells of a command. */
async function historyOf(client: Redis, name: string): Promise<CommandHistory> {
  const [, facts] = (await client.call('COMMAND', 'DOCS', name)) as [string, unknown[]]
  const { since = '', ...command } = documented(facts)
  const options = new Map<string, string>()
  const collect = (given: Documented, since: string): void => {
    for (const argument of (given.arguments ?? []).map(documented)) {
      const own = argument.since ?? since
      if (argument.token !== undefined) options.set(argument.token, own)
      collect(argument, own)
    }
  }
  collect(command, since)
  return { since, options }
}

/** From a list of names, each followed by its value. */
function documented(pairs: readonly unknown[]): Documented {
  const entries = pairs.flatMap((name, index) => (index % 2 === 0 ? [[name, pairs[index + 1]]] : []))
  return Object.fromEntries(entries) as Documented
}
