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

  it('stores booleans as 0 and 1, dates as ISO 8601 text, and copies buffers at the call', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE t (yes, no, at, data)')
    const data = Buffer.from('abc')
    const inserted = worker.insert('t', { yes: true, no: false, at: new Date(0), data })
    data.fill(0)
    await inserted
    expect(await worker.select('t')).toEqual([
      { yes: 1, no: 0, at: '1970-01-01T00:00:00.000Z', data: new Uint8Array([97, 98, 99]) },
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
    expect(await worker.select('tasks')).toEqual([])
  })
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
    expect(await names({ name: { like: '%9' } })).toEqual([9])
    expect(await names({ status: { isNull: false } })).toEqual([])
    expect(
      await worker.select('tasks', { columns: ['size'], orderBy: ['-size'], limit: 2, offset: 1 }),
    ).toEqual([{ size: 8 }, { size: 7 }])
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
})

describe('values', () => {
  it.each([
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['an object', { a: 1 }],
    ['half a surrogate pair', 'x\ud800y'],
    ['an invalid date', new Date('x')],
    ['a bigint beyond 64 bits', 2n ** 63n],
  ])(
    'that SQLite cannot hold are refused with the name of the column, and nothing is written: %s',
    async (_, value) => {
      const worker = await withTasks()
      const refused = worker.insert('tasks', { name: value as never })
      await expect(refused).rejects.toMatchObject({
        code: 'ERR_VALUE',
        message: expect.stringContaining('"name"'),
      })
      expect(await worker.select('tasks')).toEqual([])
    },
  )

  it('beyond 2^53 - 1 are refused instead of losing digits, naming the column', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE t (big INTEGER)')
    await worker.insert('t', { big: 2n ** 53n + 1n })
    await expect(worker.execute('SELECT big FROM t')).rejects.toMatchObject({
      code: 'ERR_INTEGER_RANGE',
      message: expect.stringContaining('"big"'),
    })
    expect(await worker.execute('SELECT CAST(big AS TEXT) AS big FROM t')).toEqual([
      { big: '9007199254740993' },
    ])
    expect(await worker.execute('SELECT 1e300 AS real')).toEqual([{ real: 1e300 }])
  })

  it('of RETURNING beyond 2^53 - 1 undo their statement', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE t (big INTEGER)')
    await expect(worker.execute('INSERT INTO t VALUES (?) RETURNING big', [2n ** 60n])).rejects.toMatchObject(
      {
        code: 'ERR_INTEGER_RANGE',
      },
    )
    expect(await worker.execute('INSERT INTO t VALUES (?) RETURNING big', [7])).toEqual({
      changes: 1,
      lastInsertRowid: 1,
      rows: [{ big: 7 }],
    })
  })

  it('come by position or by name, and too few or too many are refused', async () => {
    const worker = openWorker()
    expect(await worker.execute('SELECT ? AS a, ? AS b', [1, 'x'])).toEqual([{ a: 1, b: 'x' }])
    expect(await worker.execute('SELECT :a AS a, @b AS b', { a: 1, b: null })).toEqual([{ a: 1, b: null }])
    await expect(worker.execute('SELECT ?', [])).rejects.toMatchObject({ code: 'ERR_PARAMETERS' })
    await expect(worker.execute('SELECT ?', [1, 2])).rejects.toMatchObject({ code: 'ERR_PARAMETERS' })
    await expect(worker.execute('SELECT 1', 5 as never)).rejects.toMatchObject({ code: 'ERR_PARAMETERS' })
  })
})
