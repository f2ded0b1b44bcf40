import type { CacheStats } from '../backend.ts'
import type { BreakerState } from '../breaker-state.ts'
import type { RedisClient, RedisNode } from './client.ts'
import type { Gate } from './gate.ts'
import type { KeySpace } from './key-space.ts'

/** The statistics of a cache in Redis. The key counts are estimates, and count what all processes stored. */
export interface RedisCacheStats extends CacheStats {
  readonly approximate: true
  /** Whether Redis is used: while the circuit breaker is `open` or `half-open`, every read is a miss. */
  readonly breaker: BreakerState
}

const SCAN_COUNT = 1000
/** Keys looked at on each server. Redis hands them out in no order, so they stand for all. */
const MAX_SCANNED = 10_000
/** Values that are read to see how many are still valid. */
const MAX_READ = 100

type KeyCounts = Pick<CacheStats, 'totalKeys' | 'activeKeys' | 'expiredKeys' | 'totalTags'>

interface Scanned {
  readonly values: readonly string[]
  readonly tags: number
  /** How many keys of the server stand behind each key that was looked at. */
  readonly weight: number
}

/** Estimates how many keys there are. `isActive` tells whether a value is still valid. */
export async function countKeys(
  client: RedisClient,
  keys: KeySpace,
  { gate, isActive }: { gate: Gate; isActive: (key: string) => Promise<boolean> },
): Promise<KeyCounts> {
  const keyPrefix = String(client.options.keyPrefix ?? '')
  const servers = client.nodes?.('master') ?? [client]
  const scans = await Promise.all(servers.map((server) => scan(server, gate, keys, keyPrefix)))
  const sample = scans.flatMap(({ values }) => values).slice(0, MAX_READ)
  const active = (await Promise.all(sample.map(isActive))).filter(Boolean).length
  const totalKeys = Math.round(sum(scans.map(({ values, weight }) => values.length * weight)))
  const activeKeys = sample.length === 0 ? 0 : Math.round((totalKeys * active) / sample.length)
  return {
    totalKeys,
    activeKeys,
    expiredKeys: totalKeys - activeKeys,
    totalTags: Math.round(sum(scans.map(({ tags, weight }) => tags * weight))),
  }
}

async function scan(server: RedisNode, gate: Gate, keys: KeySpace, keyPrefix: string): Promise<Scanned> {
  const values: string[] = []
  let tags = 0
  let scanned = 0
  let cursor = '0'
  do {
    const [next, names] = await gate.run('stats', () => server.scan(cursor, 'COUNT', SCAN_COUNT))
    for (const name of names.filter((name) => name.startsWith(keyPrefix))) {
      const own = name.slice(keyPrefix.length)
      const key = keys.keyOf(own)
      if (key !== undefined) values.push(key)
      else if (keys.isTag(own)) tags += 1
    }
    scanned += names.length
    cursor = next
  } while (cursor !== '0' && scanned < MAX_SCANNED)
  const complete = cursor === '0' || scanned === 0
  const weight = complete ? 1 : (await gate.run('stats', () => server.dbsize())) / scanned
  return { values, tags, weight }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
