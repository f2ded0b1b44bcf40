import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { eventually } from '@outrider/test-kit'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  cache,
  InMemoryCache,
  invalidate,
  ResultTagsError,
  type CacheBackend,
  type RelayCacheError,
} from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { JoinsByKey } from './fixtures/broken-backends.ts'
import { latch } from './latch.ts'

interface Book {
  readonly id: number
  readonly author: string
}

describeEachBackend(
  'Tags from the result',
  (create) => {
    let backend: CacheBackend
    beforeEach(() => {
      backend = create()
    })

    /** A cached book, tagged by its author. Runs wait for `go` when the test says so. */
    function library(options: object = {}) {
      const db = { author: 'frank', runs: 0, waits: false, fails: false }
      const go = latch()
      const getBook = cache(
        {
          ttl: 60,
          backend,
          tags: (id) => [`book:${id}`],
          resultTags: ({ author }, id) => [`author:${author}`, `book:${id}`, 'a'],
          ...options,
        },
        async function getBook(id: number): Promise<Book> {
          const { author } = db
          db.runs += 1
          if (db.waits) await go.opened
          if (db.fails) throw new Error('down')
          return { id, author }
        },
      )
      return { db, go, getBook }
    }

    it.each(['author:frank', 'book:1', 'a'])(
      'take the value out of the cache with the tag %s',
      async (tag) => {
        const { getBook } = library()
        expect(await getBook.lookup(1)).toMatchObject({ status: 'miss' })
        expect(await getBook.lookup(1)).toMatchObject({ status: 'hit' })
        await invalidate({ tags: ['author:brian', 'book:2', 'b'], backend })
        expect(await getBook.lookup(1)).toMatchObject({ status: 'hit' })
        await invalidate({ tags: [tag], backend })
        expect(await getBook.lookup(1)).toMatchObject({ status: 'miss' })
      },
    )

    it('are forgotten with the value', async () => {
      const memory = new InMemoryCache()
      const { getBook } = library({ backend: memory })
      await getBook(1)
      expect(await memory.stats()).toMatchObject({ totalTags: 3 })
      await getBook.invalidate(1)
      expect(await memory.stats()).toMatchObject({ totalTags: 0 })
    })

    describe.each([
      ['invalidated', false],
      ['softly invalidated', true],
    ])('when one is %s while the function runs', (_, soft) => {
      it.each(['author:frank', 'unrelated'])(
        'keep the value from being stored, whichever it is: %s',
        async (tag) => {
          const { db, go, getBook } = library()
          db.waits = true
          const older = getBook(1)
          await eventually(() => expect(db.runs).toBe(1))
          await invalidate({ tags: [tag], backend, soft })
          go.open()
          expect(await older).toEqual({ id: 1, author: 'frank' })
          expect(await getBook.peek(1)).toEqual({ hit: false })
        },
      )

      it('let no later caller join', async () => {
        const { db, go, getBook } = library()
        db.waits = true
        const older = getBook(1)
        await eventually(() => expect(db.runs).toBe(1))
        Object.assign(db, { author: 'brian', waits: false })
        await invalidate({ tags: ['author:frank'], backend, soft })
        expect(await getBook.lookup(1)).toEqual({ value: { id: 1, author: 'brian' }, status: 'miss' })
        go.open()
        expect(await older).toEqual({ id: 1, author: 'frank' })
        expect(await getBook.lookup(1)).toEqual({ value: { id: 1, author: 'brian' }, status: 'hit' })
      })
    })

    it('let callers join as long as nothing is invalidated', async () => {
      const { db, go, getBook } = library()
      db.waits = true
      const both = [getBook.lookup(1), getBook.lookup(1)]
      await eventually(() => expect(backend.counters.coalesced).toBe(1))
      go.open()
      expect((await Promise.all(both)).map(({ status }) => status).toSorted()).toEqual(['coalesced', 'miss'])
      expect(db.runs).toBe(1)
    })

    it('hold after a refresh', async () => {
      const { db, getBook } = library()
      await getBook(1)
      db.author = 'brian'
      await getBook.refresh(1)
      await invalidate({ tags: ['author:frank'], backend })
      expect(await getBook.lookup(1)).toEqual({ value: { id: 1, author: 'brian' }, status: 'hit' })
      await invalidate({ tags: ['author:brian'], backend })
      expect(await getBook.peek(1)).toEqual({ hit: false })
    })

    it('hold for stale values', async () => {
      const { db, getBook } = library({ ttl: '30ms', grace: '1h' })
      await getBook(1)
      await eventually(async () => expect(await getBook.peek(1)).toEqual({ hit: false }))
      db.fails = true
      expect(await getBook.lookup(1)).toMatchObject({ status: 'stale' })
      await invalidate({ tags: ['author:frank'], backend })
      await expect(getBook(1)).rejects.toThrow('down')
    })

    it('can be made stale softly', async () => {
      const { getBook } = library()
      await getBook(1)
      await invalidate({ tags: ['author:frank'], backend, soft: true })
      expect(await getBook.lookup(1)).toMatchObject({ status: 'stale' })
    })

    it.each([
      [
        'Expected resultTags[1] of getBook to be a well-formed string that is not empty, got 1 (number)',
        () => ['a', 1],
      ],
      ['Expected resultTags of getBook to be an array of strings, got undefined', () => undefined],
      [
        "Cannot read properties of undefined (reading 'author')",
        ({ writer }: { writer: Book }) => [writer.author],
      ],
    ])(
      'that are none keep the value from being stored, and from no caller: %s',
      async (message, resultTags) => {
        const errors: RelayCacheError[] = []
        backend = create({ onError: (error) => errors.push(error) })
        const { db, go, getBook } = library({ resultTags, errorTtl: 60, grace: '1h' })
        db.waits = true
        const both = [getBook(1), getBook(1)]
        await eventually(() => expect(backend.counters.coalesced).toBe(1))
        go.open()
        const value = { id: 1, author: 'frank' }
        expect(await Promise.all(both)).toEqual([value, value])
        expect(db.runs).toBe(1)
        expect(errors).toMatchObject([
          {
            code: 'RELAYCACHE_RESULT_TAGS_FAILED',
            functionName: 'getBook',
            message: 'A value of getBook was not stored because its option resultTags gave no tags',
            cause: { name: 'TypeError', message },
          },
        ])
        expect(await getBook.peek(1)).toEqual({ hit: false })
        expect(await getBook.refresh(1)).toEqual(value)
        expect(await getBook.lookup(1)).toEqual({ value, status: 'miss' })
      },
    )

    it('must come from a function', () => {
      expect(() => library({ resultTags: ['a'] })).toThrow(
        'Expected resultTags to be a function, got an array',
      )
    })
  },
  { inCluster: true },
)

it('A backend that takes no onError has its failures published all the same', async () => {
  const backend = new JoinsByKey(new InMemoryCache())
  const heard: unknown[] = []
  const listen = (message: unknown): void => void heard.push(message)
  subscribe('relaycache:error', listen)
  try {
    const get = cache({ ttl: 60, key: 'get', backend, resultTags: () => [''] }, () => 'value')
    expect(await get()).toBe('value')
  } finally {
    unsubscribe('relaycache:error', listen)
  }
  expect(heard).toEqual([{ backend, error: expect.any(ResultTagsError) }])
})
