import {
  cache,
  InvalidationUnconfirmedError,
  type CachedFunction,
  type RelayCacheError,
} from '../src/index.ts'
import { RedisCache, type RedisCacheOptions, type RedisClient } from '../src/redis/index.ts'

/** What several processes read through their caches. */
export interface Shop {
  title: string
  computed: number
  /** Awaited by a computation between its look at `title` and its end. */
  hold: Promise<void> | undefined
}

/** One process of a shop. */
export interface ShopProcess<Client extends RedisClient> {
  readonly client: Client
  readonly backend: RedisCache<Client>
  readonly errors: RelayCacheError[]
  /** Has the tag `books`. */
  readonly getBook: CachedFunction<[id: number], string>
}

export function openShop(): Shop {
  return { title: 'Dune', computed: 0, hold: undefined }
}

/** Slow machines must not fail open, unless `options` says so. */
export function enterShop<Client extends RedisClient>(
  shop: Shop,
  client: Client,
  options: RedisCacheOptions = {},
): ShopProcess<Client> {
  const errors: RelayCacheError[] = []
  const backend = new RedisCache(client, {
    deadline: '10s',
    invalidateDeadline: '10s',
    onError: (error) => errors.push(error),
    ...options,
  })
  const getBook = cache({ ttl: 60, backend, tags: ['books'] }, async function getBook(_id: number) {
    shop.computed += 1
    const { title } = shop
    await shop.hold
    return title
  })
  return { client, backend, errors, getBook }
}

/** Whether an invalidation was confirmed. Any other failure than the documented one is passed on. */
export async function isConfirmed(invalidation: Promise<unknown>): Promise<boolean> {
  try {
    await invalidation
    return true
  } catch (error) {
    if (error instanceof InvalidationUnconfirmedError) return false
    throw error
  }
}
