import { deepStrictEqual, equal, rejects } from 'node:assert/strict'
import { cache } from '../cache.ts'
import { invalidate } from '../invalidate.ts'
import { assertHit, assertMiss, type OpenCase } from './contract-case.ts'

/** Which tags an entry was stored with, and what a reader with the tag `new` finds once `old` and `new` are invalidated. */
const STORED_TAGS = [
  { stored: ['old', 'common'], later: { value: 'other', status: 'miss' } },
  { stored: [], later: { value: 'value', status: 'hit' } },
]

/** A backend under a cached function. */
export const computationCases: readonly OpenCase[] = [
  [
    'a function runs once, then hits, and runs again after an invalidation',
    async (backend) => {
      let computed = 0
      const getBook = cache(
        { ttl: 60, backend, tags: (id: number) => [`book:${id}`, 'books'] },
        async function getBook(id: number) {
          computed += 1
          return { id, computed }
        },
      )
      deepStrictEqual(await getBook.lookup(1), { value: { id: 1, computed: 1 }, status: 'miss' })
      deepStrictEqual(await getBook.lookup(1), { value: { id: 1, computed: 1 }, status: 'hit' })
      deepStrictEqual(await getBook(2), { id: 2, computed: 2 })
      const { tags, confirmed } = await invalidate({ tags: ['book:1', 'book:1'], backend })
      deepStrictEqual({ tags, confirmed }, { tags: ['book:1'], confirmed: true })
      assertMiss(await getBook.peek(1))
      assertHit(await getBook.peek(2), { id: 2, computed: 2 })
      deepStrictEqual(await getBook(1), { id: 1, computed: 3 })
      await invalidate({ tags: ['books'], backend })
      assertMiss(await getBook.peek(1))
      assertMiss(await getBook.peek(2))
    },
  ],
  ...[null, undefined].map((result): OpenCase => [
    `the result ${result} is cached`,
    async (backend) => {
      let computed = 0
      const find = cache({ ttl: 60, backend }, function find() {
        computed += 1
        return result
      })
      deepStrictEqual(await find.lookup(), { value: result, status: 'miss' })
      deepStrictEqual(await find.lookup(), { value: result, status: 'hit' })
      equal(computed, 1)
    },
  ]),
  [
    'a function runs once for callers at the same time',
    async (backend) => {
      let computed = 0
      const slow = cache({ ttl: 60, backend }, async function slow() {
        computed += 1
        return { computed }
      })
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => slow.lookup()))
      equal(computed, 1)
      deepStrictEqual(outcomes.map(({ status }) => status).toSorted(), [
        ...Array.from({ length: 49 }, () => 'coalesced'),
        'miss',
      ])
      const { hits, misses, coalesced } = await backend.stats()
      deepStrictEqual({ hits, misses, coalesced }, { hits: 0, misses: 1, coalesced: 49 })
    },
  ],
  [
    'the error of a failing function is given to every waiter, and not cached',
    async (backend) => {
      let computed = 0
      const failing = cache({ ttl: 60, backend }, async function failing() {
        computed += 1
        throw new Error(`failure ${computed}`)
      })
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => failing()))
      equal(new Set(results.map((result) => result.status === 'rejected' && result.reason)).size, 1)
      equal(computed, 1)
      await rejects(failing(), { message: 'failure 2' })
    },
  ],
  ...STORED_TAGS.map(({ stored, later }): OpenCase => [
    `the tags ${JSON.stringify(stored)} of an entry count, whatever the reader expects`,
    async (backend) => {
      const before = cache({ ttl: 60, backend, key: 'get', tags: stored }, async () => 'value')
      const after = cache({ ttl: 60, backend, key: 'get', tags: ['new'] }, async () => 'other')
      await before()
      deepStrictEqual(await after.lookup(), { value: 'value', status: 'hit' })
      assertHit(await backend.get(after.keyOf()), 'value')
      await invalidate({ tags: ['old', 'new'], backend })
      deepStrictEqual(await after.lookup(), later)
    },
  ]),
]
