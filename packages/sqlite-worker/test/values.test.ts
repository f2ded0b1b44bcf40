import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Conditions, SqliteWorker, SqliteWorkerOptions, Value } from '../src/index.ts'
import { openWorker } from './fixture.ts'

async function withTable(options: SqliteWorkerOptions = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (value)')
  return worker
}

async function stored(worker: SqliteWorker, value: Value): Promise<unknown> {
  const { rows } = await worker.insert('t', { value }, { returning: true })
  return rows[0]?.['value']
}

const detached = (): Uint8Array => {
  const bytes = new Uint8Array(3)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

const unfit: readonly [string, unknown][] = [
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['a function', () => 1],
  ['a symbol', Symbol('x')],
  ['an object', { a: 1 }],
  ['an array', [1]],
  ['a Map', new Map()],
  ['a promise', Promise.resolve(1)],
  ['an object without a class', Object.create(null)],
  ['an object whose constructor is no function', { constructor: 'x' }],
  ['a String object', Object('x')],
  ['an ArrayBuffer', new ArrayBuffer(1)],
  ['an array of wider numbers', new Float64Array(1)],
  ['a buffer that was transferred away', detached()],
  ['half a surrogate pair', 'x\ud800y'],
  ['an invalid date', new Date('x')],
  ['a bigint beyond 64 bits', 2n ** 63n],
  ['a bigint below 64 bits', -(2n ** 63n) - 1n],
]

describe('values', () => {
  it('are stored as they are where SQLite has their like', async () => {
    const worker = await withTable()
    const same = [null, 0, 1.5, -1, 2 ** 53 - 1, 1e300, Infinity, -Infinity, '', 'é€😀', 'a\0b', '\uFEFFx']
    for (const value of same) expect(await stored(worker, value)).toBe(value)
    expect(await stored(worker, 7n)).toBe(7)
  })

  it('come back the same, any text and any bytes', async () => {
    const worker = await withTable()
    const seed = Number(process.env.OUTRIDER_SEED ?? Date.now() % 2 ** 31)
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.uint8Array(),
      fc.double({ noNaN: true }).map((number) => (Object.is(number, -0) ? 0 : number)), // SQLite has no -0 as an integer
      fc.integer(),
    )
    const property = fc.asyncProperty(fc.array(value), async (values) => {
      expect(await Promise.all(values.map(async (value) => stored(worker, value)))).toEqual(values)
    })
    await fc.assert(property, { seed, numRuns: 50 })
  })

  it('store booleans as 0 and 1, dates as ISO 8601 text, and copy buffers at the call', async () => {
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

  it('store a view of a larger buffer without the rest of it', async () => {
    const worker = await withTable()
    const pool = new Uint8Array(8192).fill(9)
    expect(await stored(worker, pool.subarray(10, 12))).toEqual(new Uint8Array([9, 9]))
    expect(await stored(worker, new Uint8Array(new SharedArrayBuffer(2)))).toEqual(new Uint8Array(2))
    expect(await stored(worker, new Uint8Array())).toEqual(new Uint8Array())
  })

  it('may come from another realm', async () => {
    const worker = await withTable()
    const row = runInNewContext('({ value: new Date(0) })') as { value: Date }
    await worker.insert('t', row)
    await worker.insert('t', { value: runInNewContext('new Uint8Array([1, 2])') as Uint8Array })
    const found = await worker.select('t', {
      conditions: runInNewContext('({ value: { ne: 1 } })') as Conditions,
    })
    expect(found).toEqual([{ value: '1970-01-01T00:00:00.000Z' }, { value: new Uint8Array([1, 2]) }])
  })

  it.each(unfit)(
    'that SQLite cannot hold are refused with the name of the column, and nothing is written: %s',
    async (_, value) => {
      const worker = await withTable()
      const refused = { code: 'ERR_VALUE', message: expect.stringContaining('"value"') as string }
      const row = { value: value as never }
      await expect(worker.insert('t', row)).rejects.toMatchObject(refused)
      await expect(worker.insert('t', [{ value: 1 }, row])).rejects.toMatchObject(refused)
      await expect(worker.update('t', row, {}, { all: true })).rejects.toMatchObject(refused)
      await expect(worker.execute('INSERT INTO t VALUES (:value)', row)).rejects.toMatchObject(refused)
      await expect(worker.execute('INSERT INTO t VALUES (?)', [value as never])).rejects.toMatchObject({
        code: 'ERR_VALUE',
        message: expect.stringContaining('parameter 1') as string,
      })
      expect(await worker.select('t')).toEqual([])
    },
  )

  it('beyond 2^53 - 1 are refused instead of losing digits, naming the column', async () => {
    const worker = await withTable()
    await worker.insert('t', { value: 2n ** 53n + 1n })
    await expect(worker.execute('SELECT value FROM t')).rejects.toMatchObject({
      code: 'ERR_INTEGER_RANGE',
      message: expect.stringContaining('"value"') as string,
    })
    expect(await worker.execute('SELECT CAST(value AS TEXT) AS value FROM t')).toEqual([
      { value: '9007199254740993' },
    ])
    expect(await worker.execute('SELECT 1e300 AS real')).toEqual([{ real: 1e300 }])
  })

  it('of RETURNING beyond 2^53 - 1 undo their statement, and all of a list', async () => {
    const worker = await withTable()
    const refused = { code: 'ERR_INTEGER_RANGE' }
    await expect(
      worker.execute('INSERT INTO t VALUES (?) RETURNING value', [2n ** 60n]),
    ).rejects.toMatchObject(refused)
    const rows = [{ value: 1n }, { value: 2n ** 60n }]
    await expect(worker.insert('t', rows, { returning: true })).rejects.toMatchObject(refused)
    expect(await worker.execute('INSERT INTO t VALUES (?) RETURNING value', [7])).toEqual({
      changes: 1,
      lastInsertRowid: 1,
      rows: [{ value: 7 }],
    })
  })
})

describe('dates', () => {
  const at = new Date('2026-01-31T12:00:00.123Z')

  it("are stored and compared as milliseconds since 1970 with dates: 'epochMs'", async () => {
    const worker = await withTable({ dates: 'epochMs' })
    expect(await stored(worker, at)).toBe(at.getTime())
    expect(await worker.execute('SELECT ? AS at', [at])).toEqual([{ at: at.getTime() }])
    expect(await worker.execute('SELECT :at AS at', { at })).toEqual([{ at: at.getTime() }])
    expect(await worker.select('t', { conditions: { value: at } })).toHaveLength(1)
    expect(await worker.select('t', { conditions: { value: { between: [new Date(0), at] } } })).toHaveLength(
      1,
    )
    await worker.update('t', { value: new Date(5) }, { value: at })
    await worker.insert('t', [{ value: new Date(6) }, { value: new Date(7) }])
    await worker.delete('t', { value: new Date(6) })
    expect(await worker.select('t')).toEqual([{ value: 5 }, { value: 7 }])
  })

  it('sort by time as ISO 8601 text', async () => {
    const worker = await withTable()
    await worker.insert('t', [
      { value: at },
      { value: new Date(0) },
      { value: new Date('1999-12-31T23:59:59.999Z') },
    ])
    expect(await worker.select('t', { orderBy: 'value', conditions: { value: { lte: at } } })).toEqual([
      { value: '1970-01-01T00:00:00.000Z' },
      { value: '1999-12-31T23:59:59.999Z' },
      { value: '2026-01-31T12:00:00.123Z' },
    ])
  })

  it('are refused as another word', () => {
    expect(() => openWorker({ dates: 'unix' as never })).toThrow(TypeError)
  })
})

describe('parameters', () => {
  it('come by position or by name, and too few or too many are refused', async () => {
    const worker = openWorker()
    expect(await worker.execute('SELECT ? AS a, ? AS b', [1, 'x'])).toEqual([{ a: 1, b: 'x' }])
    expect(await worker.execute('SELECT :a AS a, @b AS b', { a: 1, b: null })).toEqual([{ a: 1, b: null }])
    await expect(worker.execute('SELECT ?', [])).rejects.toMatchObject({ code: 'ERR_PARAMETERS' })
    await expect(worker.execute('SELECT ?', [1, 2])).rejects.toMatchObject({ code: 'ERR_PARAMETERS' })
    await expect(worker.execute('SELECT 1', 5 as never)).rejects.toMatchObject({ code: 'ERR_PARAMETERS' })
    await expect(worker.execute('SELECT ?', new Map() as never)).rejects.toMatchObject({
      code: 'ERR_PARAMETERS',
    })
  })

  it('may not be holes of a list', async () => {
    const worker = openWorker()
    const holes: Value[] = []
    holes[1] = 1
    await expect(worker.execute('SELECT ?, ?', holes)).rejects.toMatchObject({ code: 'ERR_VALUE' })
  })
})
