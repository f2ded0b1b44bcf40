import { runInNewContext } from 'node:vm'
import { setFlagsFromString } from 'node:v8'
import { setImmediate as turn } from 'node:timers/promises'
import { describeWith, eventually } from '@outrider/test-kit'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pg-proxy'
import { expect, it } from 'vitest'
import { relayDrizzleCache } from '../src/drizzle/index.ts'
import { InMemoryCache, type CacheBackend } from '../src/index.ts'
import { RedisCache, TieredCache } from '../src/redis/index.ts'
import { useRedis } from './use-redis.ts'

const counters = pgTable('counters', { version: integer().notNull() })

function open(backend: CacheBackend, version: () => number | Promise<number>) {
  const queries = relayDrizzleCache({ ttl: 5, backend, settle: '1ms' })
  const db = drizzle(async () => ({ rows: [[await version()]] }), { cache: queries })
  return {
    queries,
    db,
    hour: () =>
      db
        .select()
        .from(counters)
        .$withCache({ config: { ex: 3600 } }),
  }
}

describeWith('redis', 'a query that asks for a longer life than the ttl', () => {
  const server = useRedis()
  const kinds = {
    RedisCache: (valuePrefix: string) =>
      new RedisCache(server.client, { valuePrefix, metaPrefix: `${valuePrefix}meta:`, deadline: '10s' }),
    TieredCache: (valuePrefix: string) => new TieredCache({ l2: kinds.RedisCache(valuePrefix) }),
  }

  it.for(['RedisCache', 'TieredCache'] as const)('has it in a %s', async (kind) => {
    let sent = 0
    const { hour } = open(kinds[kind](`${kind}:`), () => (sent += 1))
    expect([await hour(), await hour()]).toEqual([[{ version: 1 }], [{ version: 1 }]])
    const keys = await server.client.keys(`${kind}:*`)
    // The value, the namespace and the table.
    expect(keys).toHaveLength(3)
    for (const key of keys) expect(await server.client.pttl(key), key).toBeGreaterThan(3_000_000)
  })

  it('is not served when its table was invalidated while it ran', async () => {
    let version = 1
    const { hour, queries, db } = open(kinds.RedisCache('late:'), async () => {
      const read = version
      if (read === 1) {
        version = 2
        await queries.write(() => db.$cache.invalidate({ tables: counters }))
      }
      return read
    })
    expect([await hour(), await hour(), await hour()]).toEqual([
      [{ version: 1 }],
      [{ version: 2 }],
      [{ version: 2 }],
    ])
  })
})

it('A query that failed leaves nothing behind once it is garbage', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const backend = new InMemoryCache()
  const { db } = open(backend, () => Promise.reject(new Error('down')))
  const fail = async (): Promise<void> => {
    await expect(db.select().from(counters).$withCache()).rejects.toThrow('Failed query')
    expect(await backend.stats()).toMatchObject({ totalTags: 1 })
  }
  // In an async context of its own, which keeps what Drizzle asks about.
  await new Promise((resolve) => {
    setImmediate(() => resolve(fail()))
  })
  await eventually(async () => {
    collectGarbage()
    await turn()
    expect(await backend.stats()).toMatchObject({ totalTags: 0 })
  })
})
