import { eventually } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
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
export async function untilTrusted(backend: TieredCache, timeoutMs = 5000): Promise<void> {
  const isTrusted = async () => {
    await backend.has('nothing')
    return (await backend.stats()).trusted
  }
  await eventually(isTrusted, { timeoutMs })
}

/** Whether a lookup is answered without asking Redis: only then there is an answer at once. */
export async function isLocal(backend: TieredCache, key: string): Promise<boolean> {
  const found = backend.peek(key, () => [])
  if (!(found instanceof Promise)) return found.hit
  await found
  return false
}

/** Keeps the event loop busy. */
export function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/** A client that listens over other connections than it sends over. */
export function splitting(client: Redis, listening: Redis): Redis {
  return new Proxy(client, {
    get(target, property) {
      const member: unknown = Reflect.get(property === 'duplicate' ? listening : target, property)
      return typeof member === 'function'
        ? member.bind(property === 'duplicate' ? listening : target)
        : member
    },
  })
}
