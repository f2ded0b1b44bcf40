import { eventually } from '@outrider/test-kit'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import {
  cache,
  invalidate,
  UnsupportedKeyError,
  UnsupportedValueError,
  type CacheBackend,
  type OnError,
} from '../src/index.ts'
import { latch } from './latch.ts'

/** Makes a new, empty backend. Backends of one test with the same `name` share their values, if any can. */
export type CreateBackend = (options: { onError?: OnError }) => CacheBackend

/** What every backend must do. */
export function describeBackend(name: string, create: CreateBackend): void {
  describe(name, () => {
    let backend: CacheBackend
    beforeEach(() => {
      backend = create({})
    })

    describe('as a store', () => {
      it('misses what was never set', async () => {
        expect(await backend.get('a')).toEqual({ hit: false })
        expect(await backend.has('a')).toBe(false)
      })

      it.each([['text'], [0], [false], [null], [undefined], [{ list: [1, { two: 2 }] }]])(
        'hits the value %j',
        async (value) => {
          expect(await backend.set('a', value)).toBe(true)
          expect(await backend.get('a')).toEqual({ hit: true, value })
          expect(await backend.has('a')).toBe(true)
        },
      )

      it('keeps dates, maps, sets, bigints, bytes and unusual numbers what they are', async () => {
        const value = {
          date: new Date('2024-02-29'),
          map: new Map<unknown, unknown>([[{ id: 1 }, new Set([1n, undefined])]]),
          buffer: Buffer.from('bytes'),
          bytes: new Uint8Array([0, 255]),
          numbers: [Number.NaN, Infinity, -Infinity, -0],
          escaped: { $: ['date', 0] },
        }
        await backend.set('a', value)
        expect(await backend.get('a')).toStrictEqual({ hit: true, value })
      })

      it('keeps keys apart that look alike', async () => {
        const keys = ['a', 'a}', '{a}', '}', '-}', '--}', '-', '-a', 'A', 'a ', 'ä', '\n', '']
        for (const key of keys) await backend.set(key, key)
        for (const key of keys) expect(await backend.get(key)).toEqual({ hit: true, value: key })
      })

      it('forgets a value after its ttl', async () => {
        await backend.set('a', 1, { ttl: '30ms' })
        await eventually(async () => expect(await backend.has('a')).toBe(false))
      })

      it('forgets a deleted key and no other', async () => {
        await backend.set('a', 1)
        await backend.set('b', 2)
        await backend.delete('a')
        expect(await backend.has('a')).toBe(false)
        expect(await backend.has('b')).toBe(true)
      })

      it('forgets everything when it is cleared', async () => {
        await backend.set('a', 1)
        await backend.set('b', 2, { tags: ['t'] })
        await backend.clear()
        expect(await backend.has('a')).toBe(false)
        expect(await backend.has('b')).toBe(false)
        await backend.set('a', 3)
        expect(await backend.get('a')).toEqual({ hit: true, value: 3 })
      })

      it('forgets what has at least one of the invalidated tags', async () => {
        await backend.set('a', 1, { tags: ['x', 'y'] })
        await backend.set('b', 2, { tags: ['y', 'z'] })
        await backend.set('c', 3, { tags: ['z'] })
        await backend.set('d', 4)
        await backend.invalidateTags(['x', 'z', 'never used'])
        const left = await Promise.all(['a', 'b', 'c', 'd'].map((key) => backend.has(key)))
        expect(left).toEqual([false, false, false, true])
      })

      it('refuses keys and tags that are not well-formed, and takes pairs of surrogates', async () => {
        await expect(backend.get('\ud800')).rejects.toThrow(UnsupportedKeyError)
        await expect(backend.set('a\udc00', 1)).rejects.toThrow(UnsupportedKeyError)
        await expect(backend.has('\ud800')).rejects.toThrow(UnsupportedKeyError)
        await expect(backend.delete('\ud800')).rejects.toThrow(UnsupportedKeyError)
        await expect(backend.set('a', 1, { tags: ['\ud800'] })).rejects.toThrow('Expected every tag to be')
        await expect(backend.invalidateTags(['\ud800'])).rejects.toThrow('Expected every tag to be')
        await backend.set('\ud83d\ude00', 1, { tags: ['\ud83d\ude00'] })
        expect(await backend.has('\ud83d\ude00')).toBe(true)
      })

      it('tells what it holds and did', async () => {
        await backend.set('a', 1, { tags: ['x'] })
        await backend.set('b', 2, { tags: ['x', 'y'] })
        await backend.invalidateTags(['y'])
        await backend.get('a')
        await backend.get('b')
        const stats = await backend.stats()
        expect(stats).toMatchObject({ totalKeys: 2, activeKeys: 1, expiredKeys: 1, totalTags: 1 })
        expect(stats).toMatchObject({ hits: 1, misses: 1, coalesced: 0, errors: 0 })
      })
    })

    describe('under cache()', () => {
      it('computes once, then hits, and computes again after an invalidation', async () => {
        let computed = 0
        const getBook = cache(
          { ttl: 60, backend, tags: (id: number) => [`book:${id}`, 'books'] },
          async function getBook(id: number) {
            computed += 1
            return { id, computed }
          },
        )
        expect(await getBook.lookup(1)).toEqual({ value: { id: 1, computed: 1 }, status: 'miss' })
        expect(await getBook.lookup(1)).toEqual({ value: { id: 1, computed: 1 }, status: 'hit' })
        expect(await getBook(2)).toEqual({ id: 2, computed: 2 })
        expect(await invalidate({ tags: ['book:1', 'book:1'], backend })).toEqual({
          tags: ['book:1'],
          confirmed: true,
        })
        expect(await getBook.peek(1)).toEqual({ hit: false })
        expect(await getBook.peek(2)).toEqual({ hit: true, value: { id: 2, computed: 2 } })
        expect(await getBook(1)).toEqual({ id: 1, computed: 3 })
        await invalidate({ tags: ['books'], backend })
        expect(await getBook.peek(1)).toEqual({ hit: false })
        expect(await getBook.peek(2)).toEqual({ hit: false })
      })

      it.each([[null], [undefined]])('caches the result %s', async (result) => {
        let computed = 0
        const find = cache({ ttl: 60, backend }, function find() {
          computed += 1
          return result
        })
        expect(await find.lookup()).toEqual({ value: result, status: 'miss' })
        expect(await find.lookup()).toEqual({ value: result, status: 'hit' })
        expect(computed).toBe(1)
      })

      it('runs the function once for callers at the same time', async () => {
        let computed = 0
        const slow = cache({ ttl: 60, backend }, async function slow() {
          computed += 1
          return { computed }
        })
        const outcomes = await Promise.all(Array.from({ length: 50 }, () => slow.lookup()))
        expect(computed).toBe(1)
        expect(outcomes.map(({ status }) => status).toSorted()).toEqual([
          ...Array.from({ length: 49 }, () => 'coalesced'),
          'miss',
        ])
        expect(await backend.stats()).toMatchObject({ hits: 0, misses: 1, coalesced: 49 })
      })

      it('gives the error of a failing function to every waiter, and does not cache it', async () => {
        let computed = 0
        const failing = cache({ ttl: 60, backend }, async function failing() {
          computed += 1
          throw new Error(`failure ${computed}`)
        })
        const results = await Promise.allSettled(Array.from({ length: 20 }, () => failing()))
        expect(new Set(results.map((result) => result.status === 'rejected' && result.reason)).size).toBe(1)
        expect(computed).toBe(1)
        await expect(failing()).rejects.toThrow('failure 2')
      })

      it('does not let one caller change what another gets', async () => {
        const getList = cache({ ttl: 60, backend }, async function getList() {
          return { when: new Date(0), items: [1, 2] }
        })
        const callers = await Promise.all([getList(), getList()])
        for (const value of [...callers, await getList()]) {
          value.when.setFullYear(1999)
          value.items.push(3)
        }
        expect(await getList()).toEqual({ when: new Date(0), items: [1, 2] })
      })

      it('gives values to the caller that it cannot store, and says so', async () => {
        const errors: string[] = []
        const reporting = create({ onError: (error) => errors.push(`${error.code} ${error.message}`) })
        const cyclic: { self?: unknown } = {}
        cyclic.self = cyclic
        class Book {
          title = 'Dune'
        }
        const nameless = Object.defineProperty(new Book(), 'constructor', { value: undefined })
        const values = [
          () => 1,
          { deep: [Symbol('s')] },
          { deep: { [Symbol('s')]: 1 } },
          cyclic,
          new Book(),
          nameless,
        ]
        for (const [index, value] of values.entries()) {
          const get = cache({ ttl: 60, backend: reporting, key: `get${index}` }, async () => value)
          expect(await get()).toBe(value)
          expect(await get.peek()).toEqual({ hit: false })
        }
        expect(errors).toEqual([
          'RELAYCACHE_UNSUPPORTED_VALUE A value was not stored because it holds a function; return plain data',
          'RELAYCACHE_UNSUPPORTED_VALUE A value was not stored because it holds a symbol; return plain data',
          'RELAYCACHE_UNSUPPORTED_VALUE A value was not stored because it holds a symbol key; return plain data',
          'RELAYCACHE_UNSUPPORTED_VALUE A value was not stored because it holds a cycle or more than 500 levels; return plain data',
          'RELAYCACHE_UNSUPPORTED_VALUE A value was not stored because it holds an instance of Book; return plain data',
          'RELAYCACHE_UNSUPPORTED_VALUE A value was not stored because it holds an instance of a class without a name; return plain data',
        ])
      })

      it('gives values to the caller that throw when they are copied, and says what they throw', async () => {
        const errors: unknown[] = []
        const reporting = create({ onError: (error) => errors.push(error) })
        const cause = new Error('not loaded yet')
        const lazy = Object.defineProperty({}, 'author', {
          enumerable: true,
          get() {
            throw cause
          },
        })
        const get = cache({ ttl: 60, backend: reporting }, async function get() {
          return lazy
        })
        expect(await get()).toBe(lazy)
        expect(await reporting.set('a', lazy)).toBe(false)
        const expected = new UnsupportedValueError('content that cannot be copied', { cause })
        expect(errors).toEqual([expected, expected])
      })

      it('goes on when its onError throws', async () => {
        const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
        const throwing = create({
          onError() {
            throw new Error('from onError')
          },
        })
        const get = cache({ ttl: 60, backend: throwing }, async function get() {
          return anonymous
        })
        expect(await get()).toBe(anonymous)
        expect(warn.mock.calls.map(([warning]) => String(warning).split('\n', 1)[0])).toEqual([
          'The onError option of a cache threw Error: from onError',
        ])
        warn.mockRestore()
      })

      it('serves the old value during a refresh, and the new one after it', async () => {
        const go = latch()
        let version = 1
        const get = cache({ ttl: 60, backend }, async function get() {
          const result = version
          if (result === 2) await go.opened
          return result
        })
        await get()
        version = 2
        const refreshed = get.refresh()
        expect(await get.lookup()).toEqual({ value: 1, status: 'hit' })
        go.open()
        expect(await refreshed).toBe(2)
        expect(await get.lookup()).toEqual({ value: 2, status: 'hit' })
      })

      it.each([
        { stored: ['old', 'common'], later: { value: 'other', status: 'miss' } },
        { stored: [], later: { value: 'value', status: 'hit' } },
      ])('validates the tags $stored of an entry, whatever the reader expects', async ({ stored, later }) => {
        const before = cache({ ttl: 60, backend, key: 'get', tags: stored }, async () => 'value')
        const after = cache({ ttl: 60, backend, key: 'get', tags: ['new'] }, async () => 'other')
        await before()
        expect(await after.lookup()).toEqual({ value: 'value', status: 'hit' })
        expect(await backend.get(after.keyOf())).toEqual({ hit: true, value: 'value' })
        await invalidate({ tags: ['old', 'new'], backend })
        expect(await after.lookup()).toEqual(later)
      })

      it('runs the function once for refreshes that are called together', async () => {
        let computed = 0
        const get = cache({ ttl: 60, backend }, async function get() {
          computed += 1
          return { computed }
        })
        const refreshed = await Promise.all([get.refresh(), get.refresh(), get.refresh()])
        expect(refreshed).toEqual(refreshed.map(() => ({ computed: 1 })))
        expect(await get.peek()).toEqual({ hit: true, value: { computed: 1 } })
        expect(await get.refresh()).toEqual({ computed: 2 })
      })

      it('lets lookups join a refresh', async () => {
        const go = latch()
        let computed = 0
        const get = cache({ ttl: 60, backend }, async function get() {
          computed += 1
          await go.opened
          return { computed }
        })
        const refreshed = get.refresh()
        const looked = [get.lookup(), get.lookup()]
        await eventually(() => backend.counters.coalesced + backend.counters.misses === 2)
        go.open()
        expect(await refreshed).toEqual({ computed: 1 })
        for (const { value } of await Promise.all(looked)) expect(value).toEqual({ computed: 1 })
      })

      it('runs the function again for a refresh that is called while it runs', async () => {
        const go = latch()
        const reading = latch()
        let version = 1
        const get = cache({ ttl: 60, backend }, async function get() {
          const result = version
          reading.open()
          if (result === 1) await go.opened
          return result
        })
        const older = get.refresh()
        await reading.opened
        version = 2
        expect(await get.refresh()).toBe(2)
        go.open()
        expect(await older).toBe(1)
        expect(await get.peek()).toEqual({ hit: true, value: 2 })
      })
    })

    describe('when a value expires while it is refreshed', () => {
      /** A cached counter whose old value has expired while its refresh runs. */
      async function expiredDuringRefresh() {
        const go = latch()
        let computed = 0
        const get = cache({ ttl: '100ms', backend, tags: ['t'] }, async function get() {
          computed += 1
          const result = computed
          if (result === 2) await go.opened
          return result
        })
        await get()
        const refreshed = get.refresh()
        await eventually(async () => expect(await get.peek()).toEqual({ hit: false }))
        return { get, go, refreshed }
      }

      it('refresh before expiry survives a slow function, and the old value does not', async () => {
        const { get, go, refreshed } = await expiredDuringRefresh()
        go.open()
        expect(await refreshed).toBe(2)
        expect(await get.peek()).toEqual({ hit: true, value: 2 })
      })

      it('lets readers join the refresh', async () => {
        const { get, go, refreshed } = await expiredDuringRefresh()
        const joined = get.lookup()
        await eventually(async () => expect((await backend.stats()).coalesced).toBe(1))
        go.open()
        expect(await joined).toEqual({ value: 2, status: 'coalesced' })
        expect(await refreshed).toBe(2)
      })

      const removals: [string, (key: string) => Promise<unknown>][] = [
        ['its tag is invalidated', () => invalidate({ tags: ['t'], backend })],
        ['its key is deleted', (key) => backend.delete(key)],
        ['the cache is cleared', () => backend.clear()],
      ]
      it.each(removals)('does not keep the refreshed value when %s after that', async (_, remove) => {
        const { get, go, refreshed } = await expiredDuringRefresh()
        await remove(get.keyOf())
        go.open()
        expect(await refreshed).toBe(2)
        expect(await get.peek()).toEqual({ hit: false })
        expect(await get()).toBe(3)
      })

      it('does not keep the refreshed value over one that was set after it began', async () => {
        const { get, go, refreshed } = await expiredDuringRefresh()
        await backend.set(get.keyOf(), 'set', { tags: ['t'], ttl: '20ms' })
        await eventually(async () => expect(await get.peek()).toEqual({ hit: false }))
        go.open()
        expect(await refreshed).toBe(2)
        expect(await get.peek()).toEqual({ hit: false })
      })
    })

    describe('when something is invalidated while a function runs', () => {
      /** A cached read of `db.version` that stops, once, between reading and returning. */
      function heldRead() {
        const db = { version: 1 }
        const reading = latch()
        const go = latch()
        const read = cache({ ttl: 60, backend, tags: ['t'] }, async function read() {
          const { version } = db
          reading.open()
          if (version === 1) await go.opened
          return version
        })
        return { db, reading, go, read }
      }
      const removals: [string, (key: string) => Promise<unknown>][] = [
        ['its tag is invalidated', () => invalidate({ tags: ['t'], backend })],
        ['its key is deleted', (key) => backend.delete(key)],
        ['the cache is cleared', () => backend.clear()],
      ]

      it.each(removals)('never serves the older value when %s', async (_, remove) => {
        const { db, reading, go, read } = heldRead()
        const older = read()
        await reading.opened
        db.version = 2
        await remove(read.keyOf())
        go.open()
        expect(await older).toBe(1)
        expect(await read.peek()).toEqual({ hit: false })
        expect(await read()).toBe(2)
      })

      it.each(removals)('does not let a later caller join when %s', async (_, remove) => {
        const { db, reading, go, read } = heldRead()
        const older = read()
        await reading.opened
        db.version = 2
        await remove(read.keyOf())
        expect(await read.lookup()).toEqual({ value: 2, status: 'miss' })
        go.open()
        expect(await older).toBe(1)
        expect(await read.lookup()).toEqual({ value: 2, status: 'hit' })
      })

      it('keeps what was set or refreshed meanwhile', async () => {
        for (const replace of ['set', 'refresh'] as const) {
          await backend.clear()
          const { db, reading, go, read } = heldRead()
          const older = read()
          await reading.opened
          db.version = 2
          await (replace === 'set' ? backend.set(read.keyOf(), 2, { tags: ['t'] }) : read.refresh())
          go.open()
          await older
          expect(await read.lookup()).toEqual({ value: 2, status: 'hit' })
        }
      })
    })
  })
}

function anonymous(): void {}
