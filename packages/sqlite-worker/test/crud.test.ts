import { describe, expect, it } from 'vitest'
import type { SqliteWorker } from '../src/index.ts'
import { openWorker } from './fixture.ts'

async function withTasks(): Promise<SqliteWorker> {
  const worker = openWorker()
  await worker.execute(
    'CREATE TABLE tasks (id INTEGER PRIMARY KEY, name TEXT UNIQUE, status TEXT, size REAL, data BLOB)',
  )
  return worker
}

describe('insert', () => {
  it('tells the rowid and the number of changes', async () => {
    const worker = await withTasks()
    expect(await worker.insert('tasks', { name: 'a' })).toEqual({ changes: 1, lastInsertRowid: 1 })
    expect(await worker.insert('tasks', { name: 'b' })).toEqual({ changes: 1, lastInsertRowid: 2 })
  })

  it('inserts several rows all or nothing', async () => {
    const worker = await withTasks()
    expect(await worker.insert('tasks', [{ name: 'a' }, { name: 'b' }])).toEqual({
      changes: 2,
      lastInsertRowid: 2,
    })
    await expect(worker.insert('tasks', [{ name: 'c' }, { name: 'a' }])).rejects.toThrow('UNIQUE')
    expect(await worker.select('tasks', { columns: ['name'] })).toEqual([{ name: 'a' }, { name: 'b' }])
  })

  it('stores a row of defaults for an empty object', async () => {
    const worker = await withTasks()
    await worker.insert('tasks', {})
    expect(await worker.select('tasks')).toEqual([
      { id: 1, name: null, status: null, size: null, data: null },
    ])
  })

  it.each([[Promise.resolve({})], [new Date()], [new Map([['name', 'a']])], [null], ['x']])(
    'refuses what is no plain object: %s',
    async (row) => {
      const worker = await withTasks()
      await expect(worker.insert('tasks', row as never)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
      })
      const conditions = row as never
      await expect(worker.delete('tasks', conditions, { all: true })).rejects.toMatchObject({
        code: 'ERR_CONDITIONS',
      })
    },
  )

  it('refuses rows whose columns differ from the first, naming the row', async () => {
    const worker = await withTasks()
    await expect(worker.insert('tasks', [{ name: 'a' }, { status: 'b' }])).rejects.toThrow(
      'Expected row 1 to have',
    )
    await expect(worker.insert('tasks', [])).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await expect(worker.insert('tasks', [{ name: 'a' }, null] as never)).rejects.toThrow('Expected row 1')
    expect(await worker.select('tasks')).toEqual([])
  })

  it('takes the columns of later rows in whatever order', async () => {
    const worker = await withTasks()
    await worker.insert('tasks', [
      { name: 'a', status: 'x' },
      { status: 'y', name: 'b' },
    ])
    expect(await worker.select('tasks', { columns: ['name', 'status'] })).toEqual([
      { name: 'a', status: 'x' },
      { name: 'b', status: 'y' },
    ])
  })

  it('keeps apart rows of many shapes', async () => {
    const worker = openWorker()
    const names = Array.from({ length: 20 }, (_, i) => `c${i}`)
    await worker.execute(`CREATE TABLE wide (${names.join(', ')})`)
    for (let round = 0; round < 2; round++) {
      for (const [i, name] of names.entries()) void worker.insert('wide', { [name]: i })
    }
    for (const [i, name] of names.entries()) {
      expect(await worker.select('wide', { columns: names, conditions: { [name]: i } })).toHaveLength(2)
    }
  })
})

describe('onConflict', () => {
  async function withUsers(): Promise<SqliteWorker> {
    const worker = openWorker()
    await worker.execute(
      'CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, age INT)',
    )
    await worker.insert('users', { id: 1, email: 'ada@example.org', name: 'Ada', age: 36 })
    return worker
  }

  it("'ignore' leaves out rows that any unique key refuses, and nothing else", async () => {
    const worker = await withUsers()
    const rows = [
      { id: 1, email: 'x@example.org' },
      { id: 2, email: 'ada@example.org' },
      { id: 3, email: 'eve@example.org' },
    ]
    expect(await worker.insert('users', rows, { onConflict: 'ignore' })).toMatchObject({ changes: 1 })
    await expect(
      worker.insert('users', { id: 4, email: null }, { onConflict: 'ignore' }),
    ).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_NOTNULL' })
    expect(await worker.select('users', { columns: ['id', 'email'], orderBy: 'id' })).toEqual([
      { id: 1, email: 'ada@example.org' },
      { id: 3, email: 'eve@example.org' },
    ])
  })

  it('with ignore: true leaves out rows that the named key refuses; another key still fails the call', async () => {
    const worker = await withUsers()
    const onConflict = { columns: 'email', ignore: true } as const
    expect(await worker.insert('users', { id: 2, email: 'ada@example.org' }, { onConflict })).toEqual({
      changes: 0,
      lastInsertRowid: 0,
    })
    await expect(
      worker.insert('users', { id: 1, email: 'x@example.org' }, { onConflict }),
    ).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  })

  it('with update: true sets all columns of the new row but the key', async () => {
    const worker = await withUsers()
    const rows = [
      { email: 'ada@example.org', name: 'Lovelace' },
      { email: 'eve@example.org', name: 'Eve' },
    ]
    await worker.insert('users', rows, { onConflict: { columns: ['email'], update: true } })
    expect(await worker.select('users', { orderBy: 'id' })).toEqual([
      { id: 1, email: 'ada@example.org', name: 'Lovelace', age: 36 },
      { id: 2, email: 'eve@example.org', name: 'Eve', age: null },
    ])
  })

  it('with a list of columns sets those, and with values sets these, in every row of a list', async () => {
    const worker = await withUsers()
    const row = { email: 'ada@example.org', name: 'Lovelace', age: 37 }
    await worker.insert('users', row, { onConflict: { columns: 'email', update: ['age'] } })
    expect(await worker.select('users')).toMatchObject([{ id: 1, name: 'Ada', age: 37 }])
    const rows = [row, { email: 'eve@example.org', name: 'Eve', age: 1 }, { ...row, age: 2 }]
    const update = { age: 99, name: 'again' }
    expect(
      await worker.insert('users', rows, {
        onConflict: { columns: 'email', update },
        returning: ['name', 'age'],
      }),
    ).toMatchObject({
      changes: 3,
      rows: [
        { name: 'again', age: 99 },
        { name: 'Eve', age: 1 },
        { name: 'again', age: 99 },
      ],
    })
  })

  it('with update: true counts a row of nothing but its key as updated, and returns it', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE tags (post INT, tag TEXT, PRIMARY KEY (post, tag)) WITHOUT ROWID')
    const upsert = { onConflict: { columns: ['post', 'tag'], update: true }, returning: true } as const
    for (let i = 0; i < 2; i++) {
      const { changes, rows } = await worker.insert('tags', { post: 1, tag: 'a' }, upsert)
      expect({ changes, rows }).toEqual({ changes: 1, rows: [{ post: 1, tag: 'a' }] })
    }
  })

  it.each([
    ['neither ignore nor update', { columns: 'email' }],
    ['an update that is undefined', { columns: 'email', update: undefined }],
    ['both', { columns: 'email', ignore: true, update: true }],
    ['no columns', { columns: [], update: true }],
    ['a misspelt member', { columns: 'email', upate: true }],
    ['nothing to update', { columns: 'email', update: [] }],
    ['an update of nothing', { columns: 'email', update: {} }],
    ['another word', 'replace'],
    ['null', null],
  ])('is refused with %s', async (_, onConflict) => {
    const worker = await withUsers()
    const inserted = worker.insert('users', { email: 'ada@example.org' }, { onConflict: onConflict as never })
    await expect(inserted).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })

  it('is refused with a column that the row has not, an unfit value, or an empty row', async () => {
    const worker = await withUsers()
    const insert = async (row: object, update: unknown): Promise<unknown> =>
      worker.insert('users', row as never, { onConflict: { columns: 'email', update: update as true } })
    await expect(insert({ email: 'a' }, ['name'])).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await expect(insert({ email: 'a' }, { name: Number.NaN })).rejects.toMatchObject({ code: 'ERR_VALUE' })
    await expect(insert({}, true)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await expect(
      worker.insert('users', { email: 'a' }, { onConflict: { columns: 'name', ignore: true } }),
    ).rejects.toThrow('does not match any PRIMARY KEY or UNIQUE constraint')
  })
})

describe('returning', () => {
  it('gives the rows of an insert as they are stored, of a list in its order', async () => {
    const worker = await withTasks()
    const { rows } = await worker.insert('tasks', { name: 'a' }, { returning: true })
    expect(rows).toEqual([{ id: 1, name: 'a', status: null, size: null, data: null }])
    const list = Array.from({ length: 1000 }, (_, i) => ({ name: `n${i}`, size: i }))
    const result = await worker.insert('tasks', list, { returning: ['id', 'size'] })
    expect(result).toEqual({
      changes: 1000,
      lastInsertRowid: 1001,
      rows: list.map((_, i) => ({ id: i + 2, size: i })),
    })
    expect(await worker.insert('tasks', {}, { returning: ['id'] })).toMatchObject({ rows: [{ id: 1002 }] })
  })

  it('leaves nothing of a list of which one row fails', async () => {
    const worker = await withTasks()
    const list = [{ name: 'a' }, { name: 'b' }, { name: 'a' }]
    await expect(worker.insert('tasks', list, { returning: true })).rejects.toThrow('UNIQUE')
    expect(await worker.select('tasks')).toEqual([])
  })

  it('gives no rows where a conflict left them out', async () => {
    const worker = await withTasks()
    await worker.insert('tasks', { name: 'a' })
    const rows = [{ name: 'a' }, { name: 'b' }]
    const options = { onConflict: 'ignore', returning: ['name'] } as const
    expect(await worker.insert('tasks', rows, options)).toMatchObject({ changes: 1, rows: [{ name: 'b' }] })
    expect(await worker.insert('tasks', { name: 'a' }, options)).toMatchObject({ changes: 0, rows: [] })
  })

  it('gives the rows after an update and before a delete', async () => {
    const worker = await withTasks()
    await worker.insert('tasks', [{ name: 'a' }, { name: 'b' }])
    expect(
      await worker.update('tasks', { size: 5 }, { name: 'a' }, { returning: ['name', 'size'] }),
    ).toMatchObject({
      changes: 1,
      rows: [{ name: 'a', size: 5 }],
    })
    const { rows } = await worker.delete('tasks', {}, { all: true, returning: ['name'] })
    expect(rows).toEqual([{ name: 'a' }, { name: 'b' }])
  })

  it('works inside a transaction', async () => {
    const worker = await withTasks()
    const rows = await worker.transaction(async (tx) => {
      const inserted = await tx.insert('tasks', [{ name: 'a' }, { name: 'b' }], { returning: ['id'] })
      return inserted.rows
    })
    expect(rows).toEqual([{ id: 1 }, { id: 2 }])
  })

  it.each([[[]], [false], ['id'], [[1]]])(
    'is refused when it is neither true nor a list of names: %j',
    async (value) => {
      const worker = await withTasks()
      const returning = value as never
      const code = 'ERR_INVALID_OPTION'
      await expect(worker.insert('tasks', {}, { returning })).rejects.toMatchObject({ code })
      await expect(worker.update('tasks', { size: 1 }, { id: 1 }, { returning })).rejects.toMatchObject({
        code,
      })
      await expect(worker.delete('tasks', { id: 1 }, { returning })).rejects.toMatchObject({ code })
    },
  )
})

describe('update and delete', () => {
  it('change the rows that meet all conditions', async () => {
    const worker = await withTasks()
    await worker.insert('tasks', [
      { name: 'a', status: 'pending' },
      { name: 'b', status: null },
      { name: 'c', status: 'pending' },
    ])
    expect(await worker.update('tasks', { status: 'completed' }, { name: 'a' })).toMatchObject({ changes: 1 })
    expect(await worker.delete('tasks', { status: null })).toMatchObject({ changes: 1 })
    expect(await worker.select('tasks', { columns: ['name', 'status'], orderBy: '-name' })).toEqual([
      { name: 'c', status: 'pending' },
      { name: 'a', status: 'completed' },
    ])
  })

  it('refuse empty conditions unless told that all rows are meant', async () => {
    const worker = await withTasks()
    await worker.insert('tasks', { name: 'a' })
    await expect(worker.delete('tasks', {})).rejects.toMatchObject({ code: 'ERR_CONDITIONS' })
    await expect(worker.update('tasks', { status: 'x' }, {})).rejects.toMatchObject({
      code: 'ERR_CONDITIONS',
    })
    expect(await worker.delete('tasks', {}, { all: true })).toMatchObject({ changes: 1 })
  })
})

describe('select', () => {
  it('filters with operators, sorts, limits and skips', async () => {
    const worker = await withTasks()
    await worker.insert(
      'tasks',
      Array.from({ length: 10 }, (_, i) => ({ name: `n${i}`, size: i })),
    )
    const names = async (conditions: Parameters<typeof worker.delete>[1]): Promise<unknown[]> =>
      (await worker.select<{ size: number }>('tasks', { conditions, orderBy: 'size' })).map((row) => row.size)
    expect(await names({ size: { gt: 3, lte: 6 } })).toEqual([4, 5, 6])
    expect(await names({ size: { between: [2, 4] }, name: { ne: 'n3' } })).toEqual([2, 4])
    expect(await names({ size: { in: [1, 9, 99] } })).toEqual([1, 9])
    expect(await names({ size: { in: [] } })).toEqual([])
    expect(await names({ size: { notIn: [0, 1, 2, 3, 4, 5] } })).toEqual([6, 7, 8, 9])
    expect(await names([{ size: { lt: 2 } }, { name: 'n5', size: 5 }, { size: 7, name: 'no' }])).toEqual([
      0, 1, 5,
    ])
    expect(await names({ name: { like: '%9' } })).toEqual([9])
    expect(await names({ status: { isNull: false } })).toEqual([])
    expect(
      await worker.select('tasks', { columns: ['size'], orderBy: ['-size'], limit: 2, offset: 1 }),
    ).toEqual([{ size: 8 }, { size: 7 }])
    expect(await worker.select('tasks', { columns: ['size'], orderBy: 'size DESC', limit: 1 })).toEqual([
      { size: 9 },
    ])
    expect(
      await worker.select('tasks', { columns: ['size'], orderBy: ['status', 'size asc'], offset: 8 }),
    ).toEqual([{ size: 8 }, { size: 9 }])
    expect(await worker.select('tasks', { limit: 0 })).toEqual([])
  })

  it('counts null as a value where it says what is not wanted', async () => {
    const worker = await withTasks()
    await worker.insert('tasks', [
      { name: 'a', status: 'done' },
      { name: 'b', status: null },
      { name: 'c', status: 'open' },
    ])
    const names = async (status: object | null): Promise<unknown[]> =>
      (await worker.select('tasks', { conditions: { status: status as never }, orderBy: 'name' })).map(
        (row) => row.name,
      )
    expect(await names({ ne: 'done' })).toEqual(['b', 'c'])
    expect(await names({ notIn: ['done'] })).toEqual(['b', 'c'])
    expect(await names({ notIn: [] })).toEqual(['a', 'b', 'c'])
    expect(await names({ ne: null })).toEqual(['a', 'c'])
    expect(await names(null)).toEqual(['b'])
  })

  it.each([
    ['an empty list', []],
    ['a list with empty conditions', [{ status: 'x' }, {}]],
    ['a list in a list', [[{ status: 'x' }]]],
    ['text', 'status = 1'],
    ['no operator', { size: {} }],
    ['an array without operator', { size: [1, 2] }],
    ['an order against null', { size: { gt: null } }],
    ['null in a list', { size: { in: [1, null] } }],
    ['null in another list', { size: { notIn: [null] } }],
    ['no list', { size: { in: 1 } }],
    ['an end too few', { size: { between: [1] } }],
    ['an end that is null', { size: { between: [1, null] } }],
    ['a pattern that is no text', { name: { like: 1 } }],
    ['isNull with no boolean', { name: { isNull: 1 } }],
  ])('refuses conditions that mean nothing: %s', async (_, conditions) => {
    const worker = await withTasks()
    const code = expect.stringMatching(/^ERR_CONDITIONS$|^ERR_INVALID_OPTION$/) as string
    await expect(worker.select('tasks', { conditions: conditions as never })).rejects.toMatchObject({ code })
    await expect(worker.delete('tasks', conditions as never, { all: true })).rejects.toMatchObject({
      code: 'ERR_CONDITIONS',
    })
  })

  it.each([
    ['undefined', { size: undefined }],
    ['undefined in an operator', { size: { gt: undefined } }],
    ['a hole in a list', { size: { in: [1, , 2] } }], // oxlint-disable-line no-sparse-arrays
    ['NaN', { size: { in: [Number.NaN] } }],
    ['an object of a class', { size: new Map() }],
  ])('never drops a condition whose value does not fit: %s', async (_, conditions) => {
    const worker = await withTasks()
    await worker.insert('tasks', { size: 1 })
    await expect(worker.delete('tasks', conditions as never)).rejects.toMatchObject({ code: 'ERR_VALUE' })
    expect(await worker.select('tasks')).toHaveLength(1)
  })

  it('refuses more values than SQLite takes, saying how many', async () => {
    const worker = await withTasks()
    const id = { in: Array.from({ length: 32_767 }, (_, i) => i) }
    await expect(worker.select('tasks', { conditions: { id } })).rejects.toMatchObject({
      code: 'ERR_PARAMETERS',
      message: expect.stringContaining('at most 32766 values') as string,
    })
    expect(await worker.select('tasks', { conditions: { id: { in: id.in.slice(1) } } })).toEqual([])
  })

  it('names an unknown option and the nearest one, and an unknown operator', async () => {
    const worker = await withTasks()
    const misspelt = { limt: 1 } as object
    await expect(worker.select('tasks', misspelt)).rejects.toThrow(
      'Unknown option "limt"; did you mean "limit"?',
    )
    const conditions = { size: { greater: 1 } }
    await expect(worker.select('tasks', { conditions: conditions as never })).rejects.toThrow('got "greater"')
  })
})

describe('identifiers', () => {
  it('may hold quotes, spaces and keywords', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE "we""ird table" ("sel""ect" TEXT, "__proto__" TEXT)')
    await worker.insert('we"ird table', { 'sel"ect': 'x', ['__proto__']: 'y' })
    const [row] = await worker.select('we"ird table')
    expect(Object.entries(row ?? {})).toEqual([
      ['sel"ect', 'x'],
      ['__proto__', 'y'],
    ])
  })

  it('are never run as SQL', async () => {
    const worker = await withTasks()
    await expect(worker.select('tasks"; DROP TABLE tasks; --')).rejects.toThrow('no such table')
    await expect(worker.insert('', { a: 1 })).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    expect(await worker.select('tasks')).toEqual([])
  })

  it('that are misspelt are refused, and not taken for text', async () => {
    const worker = await withTasks()
    await worker.insert('tasks', { name: 'a' })
    const refused = { code: 'ERR_STATEMENT', message: expect.stringContaining('nam') as string }
    await expect(worker.select('tasks', { columns: ['nam'] })).rejects.toMatchObject(refused)
    await expect(worker.select('tasks', { orderBy: 'nam' })).rejects.toMatchObject(refused)
    await expect(worker.delete('tasks', { nam: 'a' })).rejects.toMatchObject(refused)
    await expect(worker.delete('tasks', { name: 'a' }, { returning: ['nam'] })).rejects.toMatchObject(refused)
    expect(await worker.select('tasks')).toHaveLength(1)
  })

  it.each([[''], ['a\0b'], ['\ud800']])('that SQLite cannot hold are refused: %j', async (name) => {
    const worker = await withTasks()
    const code = 'ERR_INVALID_ARGUMENT'
    await expect(worker.insert(name, { name: 'a' })).rejects.toMatchObject({ code })
    await expect(worker.insert('tasks', { [name]: 'a' })).rejects.toMatchObject({ code })
    await expect(worker.update('tasks', { [name]: 'a' }, { id: 1 })).rejects.toMatchObject({ code })
    await expect(worker.delete('tasks', { [name]: 'a' })).rejects.toMatchObject({ code })
    await expect(worker.select('tasks', { columns: [name] })).rejects.toMatchObject({ code })
  })
})
