import { once } from 'node:events'
import type { Redis } from 'ioredis'

/** What a Redis server tells about all of its keys, whoever wrote them. */
export interface RedisStats {
  /** Such as `1.05M`. */
  readonly usedMemory: string
  readonly totalKeys: number
  /** Keys with `book` in their name: values and tags. */
  readonly bookKeys: number
}

const READY_TIMEOUT_MS = 2000

/** Asks by INFO, DBSIZE and SCAN, which keep nobody waiting as KEYS would. @throws when Redis does not answer */
export async function readRedisStats(redis: Redis): Promise<RedisStats> {
  if (redis.status !== 'ready') await once(redis, 'ready', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) })
  const memory = await redis.info('memory')
  const bookKeys = new Set<string>() // SCAN may name a key twice
  for await (const names of redis.scanStream({ match: '*book*', count: 1000 })) {
    for (const name of names as string[]) bookKeys.add(name)
  }
  return {
    usedMemory: /^used_memory_human:(\S+)/m.exec(memory)?.[1] ?? 'unknown',
    totalKeys: await redis.dbsize(),
    bookKeys: bookKeys.size,
  }
}
