import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  cache,
  hashKey,
  InMemoryCache,
  invalidate,
  setDefaultBackend,
  UnsupportedKeyError,
  type CacheBackend,
} from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'

let backend: InMemoryCache
beforeEach(() => {
  backend = new InMemoryCache()
})

const anything = (): number => 1

describe('cache() makes keys', () => {
  it('from the name of the function and its arguments', () => {
    const getBook = cache({ ttl: 1 }, function getBook(..._args: unknown[]) {})
    expect(getBook.name).toBe('getBook')
    expect(getBook.keyOf()).toBe('getBook()')
    expect(getBook.keyOf(1, 'a', { b: [true], a: null })).toBe('getBook(1,"a",{"a":null,"b":[true]})')
  })

  it('from a key text in place of the name, within a namespace', () => {
    const get = cache({ ttl: 1, key: 'book', namespace: 'shop' }, (_id: number) => 1)
    expect(get.keyOf(1)).toBe('"shop":book(1)')
  })

  it('as a key function says', () => {
    const get = cache(
      { ttl: 1, namespace: 'shop', key: (slug: string) => `top:${slug}` },
      (_slug: string) => 1,
    )
    expect(get.keyOf('sci-fi')).toBe('"shop":top:sci-fi')
  })

  it('that differ wherever namespace and key differ', () => {
    const keyOf = (namespace: string, key: string) =>
      cache({ ttl: 1, namespace, key: () => key }, anything).keyOf()
    expect(keyOf('acme', 'eu:list')).not.toBe(keyOf('acme:eu', 'list'))
    expect(keyOf('a":b', 'c')).not.toBe(keyOf('a', 'b":c'))
  })

  it('as a keyBuilder says', () => {
    const get = cache(
      { ttl: 1, keyBuilder: (name, args) => `${name}/${hashKey(args)}` },
      function search(_query: string) {},
    )
    expect(get.keyOf('dune')).toBe(`search/${hashKey(['dune'])}`)
  })

  it('and rejects a call whose arguments make none', async () => {
    const get = cache({ ttl: 1 }, function get(_callback: () => void) {})
    await expect(get(() => undefined)).rejects.toMatchObject({ code: 'RELAYCACHE_UNSUPPORTED_KEY' })
  })

  it('and refuses text with a lone surrogate, which would be the same key as another', async () => {
    expect(() => cache({ ttl: 1, key: 'a\ud800' }, anything)).toThrow(UnsupportedKeyError)
    const byKey = cache({ ttl: 1, key: (id: string) => id }, (_id: string) => 1)
    await expect(byKey('\ud800')).rejects.toThrow(UnsupportedKeyError)
    expect(await byKey('\ud83d\ude00')).toBe(1)
    const byArguments = cache({ ttl: 1, key: 'a', namespace: '\ud800' }, (_id: string) => 1)
    expect(byArguments.keyOf('\ud800')).not.toBe(byArguments.keyOf('\udc00'))
    expect(byArguments.keyOf('\ud800').isWellFormed()).toBe(true)
  })

  it.each([[1], [''], [undefined]])('and rejects a call whose key function returns %j', async (key) => {
    const get = cache({ ttl: 1, key: (() => key) as () => string }, anything)
    await expect(get()).rejects.toThrow('Expected key to return a string that is not empty')
  })
})

describe('cache() refuses', () => {
  const options = (given: object) => () => cache({ ttl: 1, ...given }, anything)

  it.each([
    [0],
    [-1],
    [Number.NaN],
    [Infinity],
    [365 * 86_400 + 1],
    [undefined],
    ['30'],
    ['-1s'],
    ['53w'],
    ['soon'],
    [null],
  ])('the ttl %s', (ttl) => {
    expect(options({ ttl })).toThrow(RangeError)
    expect(options({ ttl })).toThrow('Expected ttl to be a number of seconds or a duration')
  })

  it.each([[0.001], [1], [365 * 86_400], ['250ms'], ['1.5h'], ['52w']])('not the ttl %s', (ttl) => {
    expect(options({ ttl })).not.toThrow()
  })

  it.each([
    ['tag', 'tags'],
    ['TTL', 'ttl'],
    ['keybuilder', 'keyBuilder'],
    ['nameSpace', 'namespace'],
    ['keyBilder', 'keyBuilder'],
  ])('the unknown option %s', (name, nearest) => {
    expect(options({ [name]: 1 })).toThrow(
      new TypeError(`Unknown option "${name}" of cache; did you mean "${nearest}"?`),
    )
  })

  it('options that do not exist, rather than ignoring them', () => {
    expect(options({ lifetime: 1 })).toThrow(/^Unknown option "lifetime" of cache; there are ttl, key, /)
  })

  it('options that are of the wrong type', () => {
    expect(options({ tags: 'books' })).toThrow(
      "Expected tags of anything to be an array of strings, got 'books' (string)",
    )
    const expected = (which: string): string =>
      `Expected ${which} of anything to be a well-formed string that is not empty`
    expect(options({ tags: ['a', 1] })).toThrow(new TypeError(`${expected('tags[1]')}, got 1 (number)`))
    expect(options({ tags: [''] })).toThrow(`${expected('tags[0]')}, got '' (string)`)
    expect(options({ tags: ['\ud800'] })).toThrow(`${expected('tags[0]')}, got a lone surrogate`)
    expect(options({ key: 1 })).toThrow('Expected key to be a string or a function, got 1 (number)')
    expect(options({ namespace: 1 })).toThrow('Expected namespace to be a string, got 1 (number)')
    expect(options({ key: () => 'k', keyBuilder: () => 'k' })).toThrow(
      'either a key function or a keyBuilder',
    )
    expect(() => cache(undefined as never, anything)).toThrow('Expected the options of cache to be an object')
    expect(() => cache({ ttl: 1 }, 'fn' as never)).toThrow("Expected a function to cache, got 'fn' (string)")
  })

  it('an anonymous function without a key', () => {
    expect(() => cache({ ttl: 1 })(() => 1)).toThrow(
      "Expected a function with a name, or an option such as key: 'getBook', to make keys that are unique",
    )
    expect(() => cache({ ttl: 1, key: 'one' })(() => 1)).not.toThrow()
    expect(() => cache({ ttl: 1, key: () => 'one' })(() => 1)).not.toThrow()
  })

  it('tags of a call that are not strings', async () => {
    const get = cache({ ttl: 1, backend, tags: () => [7 as unknown as string] }, anything)
    await expect(get()).rejects.toThrow(
      new TypeError(
        'Expected tags[0] of anything to be a well-formed string that is not empty, got 7 (number)',
      ),
    )
  })

  it('a backend that is none, and says what it lacks', () => {
    const expected = 'Expected backend to be a cache backend such as new InMemoryCache(), got'
    expect(options({ backend: null })).toThrow(new TypeError(`${expected} null`))
    expect(options({ backend: new Map() })).toThrow(
      `${expected} an object without invalidateTags, stats, peek, read, renew, store, release, counters`,
    )
    expect(options({ backend: fakeClient() })).toThrow(
      `${expected} an ioredis client; give new RedisCache(client)`,
    )
  })
})

describe('backends and invalidate() refuse', () => {
  it('unknown options', async () => {
    expect(() => new InMemoryCache({ maxItem: 1 } as object)).toThrow('did you mean "maxItems"?')
    expect(() => new RedisCache({} as never, { prefix: 'x' } as object)).toThrow(
      'Unknown option "prefix" of RedisCache',
    )
    expect(() => new RedisCache(fakeClient(), { keyPrefix: 'x' } as object)).toThrow(
      'did you mean "valuePrefix"?',
    )
    await expect(invalidate({ tag: ['a'] } as never)).rejects.toThrow('did you mean "tags"?')
    await expect(backend.set('a', 1, { tttl: 1 } as object)).rejects.toThrow('did you mean "ttl"?')
  })

  it('values out of range or of the wrong type', async () => {
    for (const maxItems of [0, -1, 1.5, Infinity, 2 ** 24 + 1, Number.MAX_SAFE_INTEGER]) {
      expect(() => new InMemoryCache({ maxItems })).toThrow(
        new RangeError(`Expected maxItems to be an integer from 1 to 16777216, got ${maxItems} (number)`),
      )
    }
    expect(() => new InMemoryCache({ defaultTtl: 0 })).toThrow(RangeError)
    expect(() => new InMemoryCache({ isolation: 'copy' as 'clone' })).toThrow("'freeze', 'clone' or 'shared'")
    for (const method of ['get', 'set', 'delete', 'has'] as const) {
      await expect(backend[method](1 as never, 'value')).rejects.toThrow(
        new TypeError('Expected key to be a string, got 1 (number)'),
      )
    }
    await expect(backend.set('a', 1, { ttl: -1 })).rejects.toThrow(RangeError)
    await expect(backend.set('a', 1, { tags: 'x' as never })).rejects.toThrow(TypeError)
    await expect(invalidate({ tags: 'books' as never })).rejects.toThrow('Expected tags to be an array')
    expect(() => setDefaultBackend({} as CacheBackend)).toThrow(TypeError)
  })

  it('a deadline that is a number, because it could mean anything', () => {
    expect(() => new RedisCache(fakeClient(), { deadline: 50 as never })).toThrow(
      new TypeError("Expected deadline to be a duration with a unit such as '250ms', got 50 (number)"),
    )
    for (const deadline of ['0ms', '25h'] as const) {
      expect(() => new RedisCache(fakeClient(), { deadline })).toThrow(RangeError)
    }
    expect(() => new RedisCache(fakeClient(), { valuePrefix: 1 as never })).toThrow(TypeError)
  })
})

describe('a cached function', () => {
  it('also comes in two steps', async () => {
    const withOptions = cache({ ttl: 60, backend, tags: (id: number) => [`book:${id}`] })
    const getBook = withOptions(async function getBook(id: number) {
      return { id }
    })
    expect(await getBook(1)).toEqual({ id: 1 })
    expect(await getBook.peek(1)).toEqual({ hit: true, value: { id: 1 } })
  })

  it('gives a promise for a function that does not, also when that throws', async () => {
    const get = cache({ ttl: 60, backend }, function get(fail: boolean) {
      if (fail) throw new Error('failed')
      return 1
    })
    expect(await get(false)).toBe(1)
    await expect(get(true)).rejects.toThrow('failed')
  })

  it('forgets the value of the given arguments only', async () => {
    const get = cache({ ttl: 60, backend }, function get(id: number) {
      return id
    })
    await get(1)
    await get(2)
    await get.invalidate(1)
    expect(await get.peek(1)).toEqual({ hit: false })
    expect(await get.peek(2)).toEqual({ hit: true, value: 2 })
  })

  it('shares computations with another wrapper of the same key, as when wrapping for each request', async () => {
    let computed = 0
    const handle = () => cache({ ttl: 60, backend, key: 'page' }, async () => (computed += 1))()
    expect(await Promise.all([handle(), handle(), handle()])).toEqual([1, 1, 1])
  })

  it('publishes every lookup on a diagnostics channel', async () => {
    const events: unknown[] = []
    const listener = (event: unknown) => events.push(event)
    subscribe('relaycache:read', listener)
    const get = cache({ ttl: 60, backend, key: 'get' }, anything)
    await Promise.all([get(), get()])
    await get()
    unsubscribe('relaycache:read', listener)
    await get()
    expect(events).toEqual([
      { key: 'get()', status: 'miss' },
      { key: 'get()', status: 'coalesced' },
      { key: 'get()', status: 'hit' },
    ])
  })
})

function fakeClient(): ConstructorParameters<typeof RedisCache>[0] {
  const members = { isCluster: false, options: { enableOfflineQueue: false }, mgetBuffer: () => undefined }
  return members as unknown as ConstructorParameters<typeof RedisCache>[0]
}
