import { eventually } from '@outrider/test-kit'
import type { Duration, InMemoryCache } from '../src/index.ts'
import { RedisCache, TieredCache, type RedisCacheOptions, type RedisClient } from '../src/redis/index.ts'

/** What a test may ask of a cache with the mode `bus`. */
export interface BusOptions extends RedisCacheOptions {
  readonly l1?: InMemoryCache
  readonly l1Lease?: Duration
}

/** A cache with the mode `bus` that has begun to trust its memory. */
export async function openBus<Client extends RedisClient>(
  client: Client,
  { l1, l1Lease, ...options }: BusOptions = {},
): Promise<TieredCache<Client>> {
  const l2 = new RedisCache(client, { deadline: '10s', ...options })
  const backend = new TieredCache({ mode: 'bus', l1, l1Lease, l2 })
  await untilTrusted(backend)
  return backend
}

/** Resolves once values in memory are served without asking Redis. */
export async function untilTrusted(backend: TieredCache): Promise<void> {
  await eventually(async () => {
    await backend.has('nothing')
    return (await backend.stats()).trusted
  })
}

/** Whether a lookup is answered without asking Redis: only then there is an answer at once. */
export async function isLocal(backend: TieredCache, key: string): Promise<boolean> {
  const found = backend.peek(key, () => [])
  if (!(found instanceof Promise)) return found.hit
  await found
  return false
}
