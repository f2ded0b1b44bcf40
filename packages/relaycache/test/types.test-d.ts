import type { Cluster, Redis } from 'ioredis'
import { describe, expectTypeOf, it } from 'vitest'
import {
  cache,
  InMemoryCache,
  invalidate,
  type CachedFunction,
  type Lookup,
  type LookupStatus,
} from '../src/index.ts'
import { RedisCache, TieredCache } from '../src/redis/index.ts'

interface Book {
  id: number
}
async function getBook(id: number, language = 'en'): Promise<Book | null> {
  return language === 'en' ? { id } : null
}

describe('cache', () => {
  it('keeps the parameters and awaits the result', () => {
    const cached = cache({ ttl: '30m' }, getBook)
    expectTypeOf(cached).toEqualTypeOf<
      CachedFunction<[id: number, language?: string | undefined], Book | null>
    >()
    expectTypeOf(cached(1)).toEqualTypeOf<Promise<Book | null>>()
    expectTypeOf(cached.refresh(1, 'de')).toEqualTypeOf<Promise<Book | null>>()
    expectTypeOf(cached.peek(1)).toEqualTypeOf<Promise<Lookup<Book | null>>>()
    expectTypeOf(cached.lookup(1)).resolves.toHaveProperty('status').toEqualTypeOf<LookupStatus>()
    expectTypeOf(cached.keyOf(1)).toEqualTypeOf<string>()
    expectTypeOf(cached.invalidate(1)).toEqualTypeOf<Promise<void>>()
    // @ts-expect-error the argument is a number
    void cached('1')
    // @ts-expect-error an argument is missing
    void cached.peek()
  })

  it('decorates asynchronous methods whose parameters suit the options', () => {
    class Books {
      @cache({ ttl: 1, tags: (id: number) => [`${id}`] })
      async find(id: number, _language?: string): Promise<Book> {
        return { id }
      }
      // @ts-expect-error the tags need a number
      @cache({ ttl: 1, tags: (id: number) => [`${id}`] })
      async byName(_name: string): Promise<null> {
        return null
      }
      // @ts-expect-error a method that gives no promise
      @cache({ ttl: 1 })
      count(): number {
        return 1
      }
    }
    expectTypeOf<Books['find']>().toEqualTypeOf<(id: number, language?: string) => Promise<Book>>()
  })

  it('gives the result to resultTags', () => {
    cache({ ttl: 1, resultTags: (book, id) => [`${book?.id ?? id.toFixed()}`] }, getBook)
    cache({ ttl: 1, resultTags: (book: Book | null) => [`${book?.id}`] })(getBook)
    // @ts-expect-error the result is a book
    cache({ ttl: 1, resultTags: (text: string) => [text] }, getBook)
    // @ts-expect-error the result is a book
    cache({ ttl: 1, resultTags: (text: string) => [text] })(getBook)
  })

  it('takes lists of arguments', () => {
    const cached = cache({ ttl: 1 }, getBook)
    expectTypeOf(cached.many([[1], [2, 'de']])).toEqualTypeOf<Promise<(Book | null)[]>>()
    // @ts-expect-error the argument is a number
    void cached.many([['1']])
  })

  it('takes a signal for one call', () => {
    expectTypeOf(cache({ ttl: 1 }, getBook).with({ signal: AbortSignal.abort() })(1)).toEqualTypeOf<
      Promise<Book | null>
    >()
  })

  it('gives promises for functions that do not', () => {
    expectTypeOf(cache({ ttl: 1 }, (text: string) => text.length)('a')).toEqualTypeOf<Promise<number>>()
  })

  it('infers the parameters of the options from the function', () => {
    cache(
      { ttl: 1, tags: (id, language) => [`${id.toFixed()}:${language?.trim()}`], key: (id) => id.toFixed() },
      getBook,
    )
    cache({ ttl: 1, tags: (id: number) => [`${id}`] }, getBook)
    cache({ ttl: 1, tags: ['a'] as const }, getBook)
    cache({ ttl: 1, backend: undefined, namespace: undefined }, getBook)
    // @ts-expect-error the function takes a number
    cache({ ttl: 1, tags: (id: string) => [id] }, getBook)
    // @ts-expect-error tags are strings
    cache({ ttl: 1, tags: (id: number) => [id] }, getBook)
  })

  it('checks the function of the second step against the options of the first', () => {
    const tagged = cache({ ttl: 1, tags: (id: number) => [`${id}`] })
    expectTypeOf(tagged(getBook)).toEqualTypeOf<
      CachedFunction<[id: number, language?: string | undefined], Book | null>
    >()
    expectTypeOf(cache({ ttl: 1 })(getBook)(1)).toEqualTypeOf<Promise<Book | null>>()
    // @ts-expect-error the tags need a number
    tagged(async function byName(name: string) {
      return name
    })
  })

  it('takes a ttl in seconds or with a unit, and nothing that is not built', () => {
    cache({ ttl: 0.5 }, getBook)
    cache({ ttl: '1.5h' }, getBook)
    // @ts-expect-error ttl is required
    cache({}, getBook)
    // @ts-expect-error a unit is missing
    cache({ ttl: '30' }, getBook)
    // @ts-expect-error an unknown option
    cache({ ttl: 1, lifetime: '1m' }, getBook)
  })
})

describe('a lookup', () => {
  it('has a value exactly if it is a hit', () => {
    const found = {} as Lookup<Book>
    if (found.hit) expectTypeOf(found.value).toEqualTypeOf<Book>()
    else expectTypeOf(found.value).toEqualTypeOf<undefined>()
  })
})

describe('RedisCache', () => {
  it('takes the clients of ioredis and shows them', () => {
    expectTypeOf(new RedisCache({} as Redis).client).toEqualTypeOf<Redis>()
    expectTypeOf(new RedisCache({} as Cluster).client).toEqualTypeOf<Cluster>()
    // @ts-expect-error a time without a unit
    void new RedisCache({} as Redis, { deadline: 50 })
    // @ts-expect-error not a client
    void new RedisCache('redis://localhost')
  })
})

describe('TieredCache', () => {
  it('is built on a RedisCache and shows its client', () => {
    const l2 = new RedisCache({} as Redis)
    expectTypeOf(new TieredCache({ l2 }).client).toEqualTypeOf<Redis>()
    expectTypeOf(new TieredCache({ l1: new InMemoryCache(), l2, mode: 'validate' })).toExtend<RedisCache>()
    expectTypeOf(new TieredCache({ l2 }).stats()).resolves.toHaveProperty('l1')
    // @ts-expect-error Redis is missing
    void new TieredCache({ l1: new InMemoryCache() })
    // @ts-expect-error a client is not a cache
    void new TieredCache({ l2: {} as Redis })
    expectTypeOf(new TieredCache({ l2, mode: 'bus', l1Lease: '1s' }).stats()).resolves.toHaveProperty(
      'trusted',
    )
    // @ts-expect-error not a mode
    void new TieredCache({ l2, mode: 'buss' })
    // @ts-expect-error a time needs a unit
    void new TieredCache({ l2, mode: 'bus', l1Lease: 2 })
  })
})

describe('invalidate', () => {
  it('resolves only when confirmed', () => {
    const backend = new InMemoryCache()
    expectTypeOf(invalidate({ tags: ['a'], backend })).resolves.toEqualTypeOf<{
      readonly tags: readonly string[]
      readonly confirmed: true
    }>()
    // @ts-expect-error tags are a list
    void invalidate({ tags: 'a' })
  })
})
