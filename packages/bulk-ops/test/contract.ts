import type { Table } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  BulkError,
  bulkCreateBulksInSteps,
  bulkCreateInSteps,
  ref,
  UnresolvedRefError,
  type BulkProgress,
} from '../src/index.ts'
import type { Backend } from './backends.ts'

/** What every driver must do. Those without transactions do it with `atomic: false`. */
export function describeContract(open: () => Promise<Backend>): void {
  let backend: Backend
  beforeAll(async () => {
    backend = await open()
  })
  afterAll(() => backend.close())
  beforeEach(async () => {
    for (const name of ['reviews', 'books', 'authors', 'nodes', '"values"', 'defaults', 'settings']) {
      await backend.execute(`delete from ${name}`)
    }
  })
  const names = async () => (await backend.read(backend.tables.authors)).map(({ name }) => name)
  const people = (count: number, from = 0) =>
    Array.from({ length: count }, (_, i) => ({ name: `p${from + i}` }))
  const failureOf = async (call: Promise<unknown>): Promise<BulkError> => {
    const error = await call.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    return error instanceof BulkError ? error : expect.fail(`no BulkError but ${String(error)}`)
  }

  describe('creating rows', () => {
    it('gives 10 rows back in their order, with ascending keys, in steps of 5', async () => {
      const made = await bulkCreateInSteps(backend.db, backend.tables.authors, people(10), { step: 5 })
      expect(made.map(({ name }) => name)).toEqual(people(10).map(({ name }) => name))
      const ids = made.map(({ id }) => id)
      expect(ids).toEqual(ids.map((_, i) => (ids[0] ?? 0) + i))
      expect(await backend.read(backend.tables.authors)).toEqual(made)
    })

    it('gives keys in the order of rows that give different columns', async () => {
      const rows = people(30).map(({ name }, i) => (i % 3 === 0 ? { name, age: i } : { name }))
      const made = await bulkCreateInSteps(backend.db, backend.tables.authors, rows)
      expect(made.map(({ age }) => age)).toEqual(rows.map((_, i) => (i % 3 === 0 ? i : 18)))
      expect(made.map(({ name }) => name)).toEqual(rows.map(({ name }) => name))
      expect(made.map(({ id }) => id)).toEqual(made.map(({ id }) => id).toSorted((a, b) => a - b))
      expect(await backend.read(backend.tables.authors)).toEqual(made)
    })

    it('gives only keys, or only counts, when asked', async () => {
      const { authors, settings } = backend.tables
      const ids = await bulkCreateInSteps(backend.db, authors, people(3), { returning: 'ids' })
      expect(ids).toEqual((await backend.read(authors)).map(({ id }) => id))
      expect(await bulkCreateInSteps(backend.db, authors, people(3, 3), { returning: 'none' })).toEqual({
        created: 3,
        updated: 0,
        unchanged: 0,
      })
      const pairs = [{ app: 'a', key: 'k' }]
      expect(await bulkCreateInSteps(backend.db, settings, pairs, { returning: 'ids' })).toEqual([['a', 'k']])
    })

    it('takes no rows, generators and streams', async () => {
      const { authors } = backend.tables
      expect(await bulkCreateInSteps(backend.db, authors, [])).toEqual([])
      expect(await bulkCreateInSteps(backend.db, authors, new Set(people(2)))).toHaveLength(2)
      const stream = (async function* () {
        yield* people(5, 2)
      })()
      expect(await bulkCreateInSteps(backend.db, authors, stream, { step: 2 })).toHaveLength(5)
      expect(await names()).toHaveLength(7)
    })

    it('keeps values of every type as Drizzle reads them', async () => {
      const rows = [
        {
          flag: true,
          at: new Date('2024-02-29T12:34:56.789Z'),
          data: { deep: [1, null, { 'a"b\\c': 'é{},' }], none: undefined },
          raw: [1, 'two', null],
          price: '1234.50',
          score: 0.1,
          big: 9_223_372_036_854_775_807n,
          bytes: Buffer.from([0, 1, 92, 34, 255]),
          short: 'ab"\\c',
          note: `it's {a,b} NULL "q" \\ \n 😀`,
        },
        { flag: false, at: new Date(0), data: 'text', raw: 5, score: -1e300, note: '' },
        { flag: null, note: 'NULL', short: 'null' },
      ]
      const made = await bulkCreateInSteps(backend.db, backend.tables.values, rows)
      expect(made).toEqual(await backend.read(backend.tables.values))
      expect(made[0]).toMatchObject({
        ...rows[0],
        data: { deep: [1, null, { 'a"b\\c': 'é{},' }] },
        price: expect.any(String),
      })
      expect(made[1]).toMatchObject({
        flag: false,
        at: new Date(0),
        data: 'text',
        raw: 5,
        score: -1e300,
        note: '',
      })
      expect(made[2]).toMatchObject({ flag: null, note: 'NULL', at: null })
    })

    it('stores what one insert per row would, for any missing columns', async () => {
      const { defaults } = backend.tables
      const rows = [
        {},
        { literal: 1 },
        { literal: null, expression: 'x' },
        { made: 'own', nullable: 'n' },
        { touched: 'own', expression: null },
        {},
      ]
      const made = await bulkCreateInSteps(backend.db, defaults, rows)
      const withoutKey = (all: readonly Record<string, unknown>[]) =>
        all.map((row) => Object.entries(row).filter(([key]) => key !== 'id'))
      expect(await backend.read(defaults)).toEqual(made)
      await backend.execute('delete from defaults')
      for (const row of rows) await backend.insert(defaults, row)
      expect(withoutKey(made)).toEqual(withoutKey(await backend.read(defaults)))
      expect(made[0]).toMatchObject({ literal: 7, expression: 'ab', made: 'made', touched: 'touched' })
    })
  })

  describe('failing', () => {
    it('names the row that is refused, and leaves nothing', async () => {
      const rows = people(10)
      rows[7] = { name: 'p2' }
      const error = await failureOf(bulkCreateInSteps(backend.db, backend.tables.authors, rows, { step: 4 }))
      expect(error).toMatchObject({
        table: 'authors',
        chunk: 1,
        rowIndex: 7,
        row: rows[7],
        committedChunks: 0,
      })
      expect(error.cause).toBeInstanceOf(Error)
      expect(error.message).not.toContain('p2')
      expect(await names()).toEqual([])
    })

    it('names the first of several refused rows, and rows that cannot be encoded', async () => {
      const { authors, values } = backend.tables
      const rows: { name: string }[] = people(9)
      rows[3] = { name: null as never }
      rows[6] = { name: null as never }
      expect(await failureOf(bulkCreateInSteps(backend.db, authors, rows))).toMatchObject({ rowIndex: 3 })
      const dates = [{ at: new Date() }, { at: 'yesterday' as never }]
      expect(await failureOf(bulkCreateInSteps(backend.db, values, dates))).toMatchObject({ rowIndex: 1 })
    })

    it('refuses text that is too long, and does not cut it', async () => {
      const rows = [{ short: 'short' }, { short: 'longer' }]
      expect(await failureOf(bulkCreateInSteps(backend.db, backend.tables.values, rows))).toMatchObject({
        rowIndex: 1,
      })
      expect(await backend.read(backend.tables.values)).toEqual([])
    })

    it('keeps committed chunks when it is not atomic', async () => {
      const rows = [...people(4), { name: 'p0' }, { name: 'p9' }]
      const call = bulkCreateInSteps(backend.db, backend.tables.authors, rows, { step: 2, atomic: false })
      expect(await failureOf(call)).toMatchObject({ chunk: 2, rowIndex: 4, committedChunks: 2 })
      expect(await names()).toEqual(['p0', 'p1', 'p2', 'p3'])
    })

    it('undoes only itself inside a given transaction', async () => {
      const { authors } = backend.tables
      await backend.transaction(async (tx) => {
        const first = bulkCreateInSteps(tx, authors, people(2))
        const second = failureOf(
          bulkCreateInSteps(tx, authors, [{ name: 'p9' }, { name: 'p1' }], { step: 1 }),
        )
        const third = bulkCreateInSteps(tx, authors, [{ name: 'last' }])
        await Promise.all([first, second, third])
      })
      expect(await names()).toEqual(['p0', 'p1', 'last'])
    })

    it('ends when the signal is aborted, and leaves nothing', async () => {
      const { authors } = backend.tables
      const controller = new AbortController()
      const call = bulkCreateInSteps(backend.db, authors, people(10), {
        step: 2,
        signal: controller.signal,
        onProgress: ({ rows }) => {
          if (rows === 4) controller.abort(new Error('enough'))
        },
      })
      await expect(call).rejects.toThrow('enough')
      expect(await names()).toEqual([])
      await expect(
        bulkCreateInSteps(backend.db, authors, people(1), { signal: AbortSignal.abort(new Error('never')) }),
      ).rejects.toThrow('never')
    })

    it('closes a stream that it does not read to its end', async () => {
      let isClosed = false
      const stream = (function* () {
        try {
          for (;;) yield { name: 'same' }
        } finally {
          isClosed = true
        }
      })()
      await failureOf(bulkCreateInSteps(backend.db, backend.tables.authors, stream, { step: 3 }))
      expect(isClosed).toBe(true)
    })
  })

  it('tells how far it has come', async () => {
    const told: BulkProgress[] = []
    await bulkCreateInSteps(backend.db, backend.tables.authors, people(5), {
      step: 2,
      onProgress: (progress) => told.push(progress),
    })
    expect(told).toEqual([
      { table: 'authors', chunk: 0, rows: 2 },
      { table: 'authors', chunk: 1, rows: 4 },
      { table: 'authors', chunk: 2, rows: 5 },
    ])
  })

  describe('on conflict', () => {
    it('skips rows, and gives only the others back', async () => {
      const { authors } = backend.tables
      await bulkCreateInSteps(backend.db, authors, [{ name: 'b' }])
      const rows = [{ name: 'a' }, { name: 'b', age: 1 }, { name: 'c', age: 2 }, { name: 'a', age: 3 }]
      const made = await bulkCreateInSteps(backend.db, authors, rows, { onConflict: 'ignore' })
      expect(made.map(({ name, age }) => [name, age])).toEqual([
        ['a', 18],
        ['c', 2],
      ])
      const counts = await bulkCreateInSteps(backend.db, authors, [...rows, { name: 'd' }], {
        onConflict: 'ignore',
        returning: 'none',
      })
      expect(counts).toEqual({ created: 1, updated: 0, unchanged: 4 })
    })

    it('updates by natural key, and tells exactly what it did', async () => {
      const { authors } = backend.tables
      const [a, b] = await bulkCreateInSteps(backend.db, authors, [
        { name: 'a', age: 1 },
        { name: 'b', age: 2 },
      ])
      const rows = [
        { name: 'c', age: 3 },
        { name: 'b', age: 2 },
        { name: 'a', age: 9 },
      ]
      const options = { onConflict: { target: 'name' } } as const
      const made = await bulkCreateInSteps(backend.db, authors, rows, options)
      expect(made).toEqual([{ id: made[0]?.id, name: 'c', age: 3 }, b, { ...a, age: 9 }])
      expect(await backend.read(authors)).toEqual([{ ...a, age: 9 }, b, made[0]])
      const again = await bulkCreateInSteps(
        backend.db,
        authors,
        [...rows, { name: 'd' }, { name: 'a', age: 8 }],
        {
          ...options,
          returning: 'none',
        },
      )
      expect(again).toEqual({ created: 1, updated: 1, unchanged: 2 })
    })

    it('leaves columns alone that a row does not give, or that are not to be updated', async () => {
      const { settings } = backend.tables
      await bulkCreateInSteps(backend.db, settings, [
        { app: 'a', key: 'k', value: 'v', changed: 'c' },
        { app: 'a', key: 'l', value: 'v', changed: 'c' },
      ])
      const rows = [
        { app: 'a', key: 'k' },
        { app: 'a', key: 'l', value: 'w' },
        { app: 'b', key: 'k', value: 'x' },
      ]
      const target = ['app', 'key'] as const
      const made = await bulkCreateInSteps(backend.db, settings, rows, { onConflict: { target } })
      expect(made).toEqual([
        { app: 'a', key: 'k', value: 'v', changed: 'c' },
        { app: 'a', key: 'l', value: 'w', changed: 'changed' },
        { app: 'b', key: 'k', value: 'x', changed: 'changed' },
      ])
      const kept = await bulkCreateInSteps(backend.db, settings, [{ app: 'b', key: 'k', value: 'y' }], {
        onConflict: { target, update: [] },
      })
      expect(kept).toEqual(made.slice(2))
    })

    it('takes rows of one natural key as if they came one after another', async () => {
      const { authors } = backend.tables
      const rows = [{ name: 'a', age: 1 }, { name: 'b' }, { name: 'a' }, { name: 'a', age: 3 }]
      const made = await bulkCreateInSteps(backend.db, authors, rows, { onConflict: { target: 'name' } })
      expect(made.map(({ name, age }) => [name, age])).toEqual([
        ['a', 3],
        ['b', 18],
        ['a', 3],
        ['a', 3],
      ])
      expect(await names()).toHaveLength(2)
    })

    it('compares null, and creates rows whose natural key is null', async () => {
      const { books, authors } = backend.tables
      const [author] = await bulkCreateInSteps(backend.db, authors, people(1))
      const authorId = author?.id ?? 0
      const rows = [
        { title: 'one', isbn: null, authorId },
        { title: 'two', authorId },
        { title: 'three', isbn: '3', authorId },
      ]
      const options = { onConflict: { target: 'isbn' }, returning: 'none' } as const
      await bulkCreateInSteps(backend.db, books, rows, options)
      expect(await bulkCreateInSteps(backend.db, books, rows, options)).toEqual({
        created: 2,
        updated: 0,
        unchanged: 1,
      })
      const age = (
        await bulkCreateInSteps(backend.db, authors, [{ name: 'p0', age: null }], {
          onConflict: { target: 'name' },
        })
      )[0]?.age
      expect(age).toBeNull()
    })

    it('compares values of every type', async () => {
      const { values } = backend.tables
      const row = {
        id: 1,
        flag: true,
        at: new Date(5),
        data: { b: 1, a: [2] },
        raw: { x: 1 },
        price: '1.50',
        score: 0.5,
        big: 5n,
        bytes: Buffer.from('x'),
        note: 'n',
      }
      const upsert = (more: object) =>
        bulkCreateInSteps(backend.db, values, [{ ...row, ...more }], {
          onConflict: { target: 'id' },
          returning: 'none',
        })
      expect(await upsert({})).toMatchObject({ created: 1 })
      expect(await upsert({})).toMatchObject({ unchanged: 1 })
      for (const change of [
        { flag: null },
        { raw: [] },
        { big: 6n },
        { bytes: Buffer.from('y') },
        { at: new Date(6) },
      ]) {
        expect(await upsert(change), Object.keys(change).join()).toMatchObject({ updated: 1 })
        await upsert({})
      }
    })
  })

  describe('several tables', () => {
    it('are written in the order of their references, which are filled in', async () => {
      const { authors, books, reviews } = backend.tables
      const writers = people(3)
      const novels = writers.map((writer) => ({ title: `of ${writer.name}`, authorId: ref(writer) }))
      const stars = novels.map((novel, i) => ({ stars: i, bookId: ref(novel) }))
      const made = await bulkCreateBulksInSteps(backend.db, [
        [reviews, stars],
        [books, novels],
        [authors, writers],
      ])
      const authorIds = made.get(authors).map(({ id }) => id)
      expect(writers.map((writer) => 'id' in writer && writer.id)).toEqual(authorIds)
      expect(made.get(books).map(({ authorId }) => authorId)).toEqual(authorIds)
      expect(made.get(reviews).map(({ bookId }) => bookId)).toEqual(made.get(books).map(({ id }) => id))
      expect(await backend.read(reviews)).toEqual(made.get(reviews))
      expect(made.counts.get('books')).toEqual({ created: 3, updated: 0, unchanged: 0 })
    })

    it('give the keys of parents that exist already', async () => {
      const { authors, books } = backend.tables
      const [known] = await bulkCreateInSteps(backend.db, authors, [{ name: 'known', age: 50 }])
      const parents = [{ name: 'new' }, { name: 'known', age: 60 }, { name: 'known' }]
      const children = parents.map((parent, i) => ({ title: 't', isbn: `i${i}`, authorId: ref(parent) }))
      const bulks = new Map<Table, object[]>([
        [books, children],
        [authors, parents],
      ])
      const write = (update: readonly string[]) =>
        bulkCreateBulksInSteps(backend.db, bulks, {
          onConflict: [
            [authors, { target: 'name', update }],
            [books, { target: 'isbn' }],
          ],
        })
      const made = await write([])
      expect(made.counts.get('authors')).toEqual({ created: 1, updated: 0, unchanged: 1 })
      const rows = await backend.read(books)
      expect(rows.slice(1).map(({ authorId }) => authorId)).toEqual([known?.id, known?.id])
      expect((await write(['age'])).counts).toEqual(
        new Map([
          ['authors', { created: 0, updated: 1, unchanged: 1 }],
          ['books', { created: 0, updated: 0, unchanged: 3 }],
        ]),
      )
      expect(await backend.read(books)).toEqual(rows)
    })

    it('leave nothing, and no keys in the given rows, when one fails', async () => {
      const { authors, books } = backend.tables
      const writers = people(2)
      const novels = [
        { title: 'good', authorId: ref(writers[0] ?? {}) },
        { title: null as never, authorId: ref(writers[1] ?? {}) },
      ]
      const error = await failureOf(
        bulkCreateBulksInSteps(backend.db, [
          [authors, writers],
          [books, novels],
        ]),
      )
      expect(error).toMatchObject({ table: 'books', rowIndex: 1 })
      expect(writers).toEqual(people(2))
      expect(await names()).toEqual([])
    })

    it('give keys without rows when only these are needed', async () => {
      const { authors, books } = backend.tables
      const writer = { name: 'only' }
      const novels = [{ title: 't', authorId: ref(writer) }]
      const made = await bulkCreateBulksInSteps(
        backend.db,
        [
          [authors, [writer]],
          [books, novels],
        ],
        { returning: 'none' },
      )
      expect(made.get(authors)).toEqual([])
      const [row] = await backend.read(books)
      expect(writer).toEqual({ name: 'only', id: row?.['authorId'] })
      expect(novels[0]).not.toHaveProperty('id')
    })

    it('refuse references to rows that are not there', async () => {
      const { authors, books } = backend.tables
      const call = bulkCreateBulksInSteps(backend.db, [
        [authors, people(1)],
        [books, [{ title: 't', authorId: ref({ name: 'stranger' }) }]],
      ])
      await expect(call).rejects.toMatchObject({
        code: 'ERR_REFERENCE',
        table: 'books',
        column: 'authorId',
        rowIndex: 0,
      })
      expect(await names()).toEqual([])
    })
  })

  describe('a table that refers to itself', () => {
    it('gets parents before children, in whatever order they are given', async () => {
      const { nodes } = backend.tables
      const root = { name: 'root' }
      const child = { name: 'child', parentId: ref(root) }
      const grandchild = { name: 'grandchild', parentId: ref(child) }
      const made = await bulkCreateInSteps(backend.db, nodes, [grandchild, child, root], { step: 2 })
      expect(made.map(({ name }) => name)).toEqual(['grandchild', 'child', 'root'])
      expect(made.map(({ parentId }) => parentId)).toEqual([made[1]?.id, made[2]?.id, null])
    })

    it('refuses references to rows that may be skipped', async () => {
      const { nodes } = backend.tables
      const root = { name: 'root' }
      const rows = [root, { name: 'child', parentId: ref(root) }]
      const call = bulkCreateInSteps(backend.db, nodes, rows, { onConflict: 'ignore' })
      await expect(call).rejects.toMatchObject({ code: 'ERR_REFERENCE', rowIndex: 1 })
    })

    it('refuses rows that refer to each other in a circle', async () => {
      const { nodes } = backend.tables
      const one: { name: string; parentId?: never } = { name: 'one' }
      const two = { name: 'two', parentId: ref(one) }
      const rows = [Object.assign(one, { parentId: ref(two) }), two]
      await expect(bulkCreateInSteps(backend.db, nodes, rows)).rejects.toThrow(UnresolvedRefError)
    })
  })
}
