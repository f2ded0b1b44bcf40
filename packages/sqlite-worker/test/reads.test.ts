import { symlinkSync } from 'node:fs'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Int64Mode, Row, SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { gate, openWorker, temporaryFile } from './fixture.ts'
import { connectionsOf } from './fixtures/observe.ts'
import { COUNT_UP, ROWS } from './fixtures/sql.ts'

async function withTable(options: SqliteWorkerOptions & { file?: string } = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (n)')
  return worker
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const row of rows) list.push(row)
  return list
}

function anotherConnection(file: string): Database.Database {
  const db = new Database(file)
  onTestFinished(() => void db.close())
  return db
}

describe('a read', () => {
  it.each([
    ['SELECT 1', 'reader'],
    ['-- why\n select n from t', 'reader'],
    ['VALUES (1)', 'reader'],
    ['WITH x AS (SELECT 1 AS n) SELECT n FROM x', 'reader'],
    ['WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x', 'writer'],
    ['INSERT INTO t VALUES (1) RETURNING n', 'writer'],
    ['SELECT last_insert_rowid()', 'writer'],
    ['SELECT changes()', 'writer'],
    ["SELECT * FROM pragma_table_info('t')", 'writer'],
    ['PRAGMA user_version', 'writer'],
    ['EXPLAIN SELECT 1', 'writer'],
  ] as const)('%s runs on the %s', async (sql, connection) => {
    const worker = await withTable()
    const ranOn = connectionsOf()
    await worker.execute(sql)
    expect(ranOn(sql)).toBe(connection)
  })

  it('runs on the writer with consistency writer, within a transaction, and without readers', async () => {
    const ranOn = connectionsOf()
    const worker = await withTable()
    await worker.execute('SELECT 1', [], { consistency: 'writer' })
    await worker.transaction((tx) => tx.execute('SELECT 2'))
    await (await withTable({ readers: 0 })).execute('SELECT 3')
    await (await withTable({ consistency: 'writer' })).execute('SELECT 4')
    expect(['SELECT 1', 'SELECT 2', 'SELECT 3', 'SELECT 4'].map(ranOn)).toEqual([
      'writer',
      'writer',
      'writer',
      'writer',
    ])
  })

  it('sees every earlier write of its worker, awaited or not', async () => {
    const worker = await withTable()
    const counts = []
    for (let n = 1; n <= 50; n++) {
      void worker.insert('t', { n })
      counts.push(worker.execute<{ n: number }>('SELECT COUNT(*) AS n FROM t'))
      if (n % 10 === 0) await counts.at(-1)
    }
    const seen = (await Promise.all(counts)).map(([row]) => row?.n ?? 0)
    expect(seen.every((n, i) => n > i)).toBe(true)
    await worker.transaction((tx) => tx.insert('t', { n: 51 }))
    expect(await worker.execute('SELECT COUNT(*) AS n FROM t')).toEqual([{ n: 51 }])
  })

  it('waits for a write that waits, unless it is eager', async () => {
    const worker = await withTable()
    const hold = gate()
    const transaction = worker.transaction(() => hold.opened)
    const write = worker.insert('t', { n: 1 })
    const causal = worker.select('t')
    const inLine = worker.select('t', {}, { consistency: 'writer' })
    expect(await worker.select('t', {}, { consistency: 'eager' })).toEqual([])
    hold.open()
    await Promise.all([transaction, write])
    expect([await causal, await inLine]).toEqual([[{ n: 1 }], [{ n: 1 }]])
  })

  it('that is not behind a failed or given up write waits for neither', async () => {
    const worker = await withTable()
    const controller = new AbortController()
    const outcomes = Promise.allSettled([
      worker.execute('INSERT INTO missing VALUES (1)'),
      worker.execute('INSERT INTO t VALUES (1)', [], { signal: controller.signal }),
    ])
    controller.abort()
    expect(await worker.select('t')).toEqual([])
    expect(await outcomes).toMatchObject([
      { reason: { code: 'ERR_STATEMENT' } },
      { reason: { code: 'ERR_ABORTED' } },
    ])
  })

  it('goes on while a transaction is open, and does not see it', async () => {
    const worker = await withTable()
    await worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      expect(await worker.outside(() => worker.select('t'))).toEqual([])
      expect(await tx.select('t')).toEqual([{ n: 1 }])
    })
  })

  it('that takes long holds up neither writes nor other reads', async () => {
    const worker = await withTable({ readers: 2 })
    await worker.select('t') // the first thread is open, so that the long one is on its way before the short one
    const controller = new AbortController()
    const long = worker.execute(ROWS, [1e9], { signal: controller.signal })
    await worker.insert('t', { n: 1 })
    expect(await worker.select('t')).toEqual([{ n: 1 }])
    controller.abort()
    await expect(long).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  })

  it('of several in one tick sees one moment, though other connections write', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file, readers: 1 })
    await worker.select('t')
    const other = anotherConnection(file)
    const long = worker.execute(COUNT_UP, [300_000])
    const reads = [worker.select('t'), worker.select('t')]
    await long
    other.exec('INSERT INTO t VALUES (1)')
    const [first, second] = await Promise.all(reads)
    expect(second).toEqual(first)
    expect(await worker.select('t')).toEqual([{ n: 1 }])
  })

  it('names the columns of * as they are, whoever changed the table', async () => {
    const file = temporaryFile()
    const worker = await withTable({ file, readers: 1 })
    await worker.insert('t', { n: 1 })
    const both = (): Promise<unknown[]> =>
      Promise.all([
        worker.execute('SELECT * FROM t'),
        worker.execute('SELECT * FROM t', [], { consistency: 'writer' }),
      ])
    expect(await both()).toEqual([[{ n: 1 }], [{ n: 1 }]])
    await worker.execute('ALTER TABLE t ADD COLUMN a DEFAULT 2')
    expect(await both()).toEqual([[{ n: 1, a: 2 }], [{ n: 1, a: 2 }]])
    anotherConnection(file).exec('ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t ADD COLUMN c DEFAULT 3')
    expect(await both()).toEqual([[{ n: 1, b: 2, c: 3 }], [{ n: 1, b: 2, c: 3 }]])
    const several = await Promise.all([worker.execute('SELECT * FROM t'), worker.execute('SELECT * FROM t')])
    expect(several).toEqual([[{ n: 1, b: 2, c: 3 }], [{ n: 1, b: 2, c: 3 }]])
  })
})

describe('once its connection sees what others do not, the writer reads too:', () => {
  it.each([
    ['a temporary table', ['CREATE TEMP TABLE x AS SELECT 1 AS a'], 'SELECT a FROM x'],
    [
      'a temporary table by its schema',
      ['CREATE TABLE temp.x (a)', 'INSERT INTO x VALUES (1)'],
      'SELECT a FROM x',
    ],
    ['a temporary view', ['CREATE TEMPORARY VIEW x AS SELECT 1 AS a'], 'SELECT a FROM x'],
    ['a comment before', ['/* x */ CREATE /* y */ TEMP TABLE x AS SELECT 1 AS a'], 'SELECT a FROM x'],
    [
      'an attached database',
      ["ATTACH ':memory:' AS other", 'CREATE TABLE x AS SELECT 1 AS a'],
      'SELECT a FROM x',
    ],
    ['a pragma', ['PRAGMA case_sensitive_like = 1'], "SELECT 'a' LIKE 'A' OR 1 AS a"],
  ])('%s', async (_, statements, sql) => {
    const worker = await withTable()
    const ranOn = connectionsOf()
    await worker.select('t')
    for (const statement of statements) void worker.execute(statement)
    expect(await worker.execute(sql)).toEqual([{ a: 1 }])
    expect(ranOn(sql)).toBe('writer')
  })

  it('in a script, a batch and executeInit', async () => {
    const temporary = 'CREATE TEMP TABLE x AS SELECT 1 AS a'
    const script = await withTable()
    void script.executeScript(`SELECT 1; ${temporary}`)
    expect(await script.execute('SELECT a FROM x')).toEqual([{ a: 1 }])
    const batch = await withTable()
    void batch.batch([{ sql: temporary }])
    expect(await batch.execute('SELECT a FROM x')).toEqual([{ a: 1 }])
    const init = await withTable({ executeInit: [temporary] })
    expect(await init.execute('SELECT a FROM x')).toEqual([{ a: 1 }])
  })

  it('a database in memory', async () => {
    const worker = await withTable({ file: ':memory:' })
    void worker.insert('t', { n: 1 })
    expect(await worker.select('t')).toEqual([{ n: 1 }])
  })

  it.each(['PRAGMA journal_mode = DELETE', '-- x\nPRAGMA "journal_mode" = MEMORY'])(
    'another journal mode from the start: %s',
    async (pragma) => {
      const worker = openWorker({ executeInit: [pragma] })
      const read = worker.execute('SELECT 1 AS a')
      const streamed = all(worker.stream('SELECT 1 AS a'))
      const ranOn = connectionsOf()
      expect(await read).toEqual([{ a: 1 }])
      expect(await streamed).toEqual([{ a: 1 }])
      expect(await worker.execute('SELECT 2 AS a')).toEqual([{ a: 2 }])
      expect(ranOn('SELECT 2 AS a')).toBe('writer')
    },
  )

  it('another journal mode later', async () => {
    const worker = await withTable()
    expect(await worker.execute('PRAGMA journal_mode = DELETE')).toEqual([{ journal_mode: 'delete' }])
    void worker.insert('t', { n: 1 })
    expect(await worker.select('t')).toEqual([{ n: 1 }])
  })
})

describe('connections that read', () => {
  it('open with pragmas of executeInit that write', async () => {
    const worker = await withTable({
      executeInit: ['PRAGMA user_version = 7; PRAGMA wal_checkpoint(TRUNCATE)'],
      maxRetries: 0,
    })
    expect(await worker.execute('SELECT n FROM t')).toEqual([])
    expect(await worker.execute('PRAGMA user_version')).toEqual([{ user_version: 7 }])
  })

  it('open a file through a link', async () => {
    const file = temporaryFile()
    await withTable({ file })
    symlinkSync(file, `${file}.link`)
    expect(await openWorker({ file: `${file}.link` }).execute('SELECT n FROM t')).toEqual([])
  })
})

describe('a result', () => {
  const count = 1700
  const large = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) `

  it.each(['causal', 'writer'] as const)(
    'of many rows comes whole, as objects and as arrays (%s)',
    async (consistency) => {
      const worker = openWorker()
      for (let round = 0; round < 3; round++) {
        const objects = await worker.execute(`${large} SELECT i, 'x' || i AS text FROM n`, [], {
          consistency,
        })
        expect(objects).toEqual(Array.from({ length: count }, (_, i) => ({ i: i + 1, text: `x${i + 1}` })))
        const arrays = await worker.execute(`${large} SELECT i, 'x' || i AS text FROM n`, [], {
          consistency,
          rowMode: 'array',
        })
        expect(arrays).toEqual(Array.from({ length: count }, (_, i) => [i + 1, `x${i + 1}`]))
      }
    },
  )

  it('may be large or small by its parameters', async () => {
    const worker = openWorker({ readers: 1 })
    const sizes = [5, 2000, 0, 500, 501, 3, 1000]
    const results = await Promise.all(
      sizes.map((n) => worker.execute<{ i: number }>(`${ROWS} LIMIT ?`, [5000, n])),
    )
    expect(results.map((rows) => rows.length)).toEqual(sizes)
    expect(results.every((rows) => rows.every(({ i }, at) => i === at + 1))).toBe(true)
  })

  it('without rows is an empty list', async () => {
    const worker = await withTable()
    for (const rowMode of ['object', 'array'] as const)
      expect(await worker.execute('SELECT * FROM t', [], { rowMode })).toEqual([])
  })

  it('with two columns of a name has the last as a member, and both in an array', async () => {
    const worker = openWorker()
    expect(await worker.execute('SELECT 1 AS a, 2 AS a')).toEqual([{ a: 2 }])
    expect(await worker.execute('SELECT 1 AS a, 2 AS a', [], { rowMode: 'array' })).toEqual([[1, 2]])
  })

  it.each(['__proto__', 'constructor', 'a"b', "it's", '', '\u2028', '😀'])(
    'may have a column called %j',
    async (name) => {
      const worker = openWorker()
      const [row] = await worker.execute<Row>(`SELECT 1 AS "${name.replaceAll('"', '""')}", 2 AS other`)
      expect(Object.entries(row ?? {})).toEqual([
        [name, 1],
        ['other', 2],
      ])
    },
  )

  it('of wide rows and blobs comes whole', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE b (id INTEGER PRIMARY KEY, text, data)')
    const rows = Array.from({ length: 12 }, (_, i) => ({
      id: i + 1,
      text: 'é'.repeat(150_000 + i),
      data: new Uint8Array(100_000 + i).fill(i),
    }))
    await worker.insert('b', rows)
    for (let round = 0; round < 2; round++) {
      const read = await worker.select<(typeof rows)[0]>('b', { orderBy: 'id' })
      expect(read.map(({ text }) => text)).toEqual(rows.map(({ text }) => text))
      expect(read.every(({ data }, i) => Buffer.compare(data, rows[i]?.data ?? new Uint8Array()) === 0)).toBe(
        true,
      )
    }
    expect(await worker.execute("SELECT x'' AS none, NULL AS empty")).toEqual([
      { none: new Uint8Array(), empty: null },
    ])
  })

  it('of 2000 columns comes whole', async () => {
    const worker = openWorker()
    const sql = `SELECT ${Array.from({ length: 2000 }, (_, i) => `${i} AS c${i}`).join(', ')}`
    const [row] = await worker.execute<Row>(sql)
    expect(Object.keys(row ?? {})).toHaveLength(2000)
    expect(row?.['c1999']).toBe(1999)
  })
})

describe('integers', () => {
  const unsafe = 2n ** 53n + 1n
  const mixed = (at: number): string =>
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700) SELECT i, iif(i = ${at}, ${unsafe}, i + 1e300) AS v FROM n`

  it.each([1, 300, 1200])(
    'beyond 2^53 - 1 in row %i are refused, given as bigints, or rounded, as asked',
    async (at) => {
      for (const consistency of ['causal', 'writer'] as const) {
        const worker = openWorker()
        const read = (int64?: Int64Mode) =>
          worker.execute<{ i: number | bigint; v: number | bigint }>(mixed(at), [], {
            consistency,
            ...(int64 && { int64 }),
          })
        for (let round = 0; round < 2; round++) {
          await expect(read()).rejects.toMatchObject({
            code: 'ERR_INTEGER_RANGE',
            message: expect.stringContaining('"v"') as string,
          })
          const bigints = await read('bigint')
          expect(bigints).toHaveLength(1700)
          expect(bigints[at - 1]).toEqual({ i: BigInt(at), v: unsafe })
          expect(bigints[400]).toEqual({ i: 401n, v: 1e300 })
          expect((await read('number'))[at - 1]).toEqual({ i: at, v: Number(unsafe) })
        }
      }
    },
  )

  it('are exact beside numbers that are no integers', async () => {
    const worker = openWorker()
    const sql = mixed(0)
    for (let round = 0; round < 2; round++) {
      const rows = await worker.execute<{ i: number; v: number }>(sql)
      expect(rows.map(({ i }) => i)).toEqual(Array.from({ length: 1700 }, (_, i) => i + 1))
      expect(rows[1699]?.v).toBe(1e300)
    }
  })

  it('and numbers beyond them come once each, in whatever order', async () => {
    const worker = openWorker()
    const sql = `${mixed(0).replace('i + 1e300', 'iif(i = 900, 1e300, i)')} ORDER BY random()`
    for (let round = 0; round < 20; round++) {
      const rows = await worker.execute<{ i: number }>(sql)
      expect(new Set(rows.map(({ i }) => i)).size).toBe(1700)
    }
  })

  it("follow the worker's int64 unless the call says otherwise", async () => {
    const worker = openWorker({ int64: 'bigint' })
    expect(await worker.execute('SELECT 1 AS a, 1.5 AS b')).toEqual([{ a: 1n, b: 1.5 }])
    expect(await worker.execute('SELECT 1 AS a', [], { int64: 'strict' })).toEqual([{ a: 1 }])
    expect(await worker.execute('SELECT 1 AS a')).toEqual([{ a: 1n }])
    await expect(worker.execute('SELECT 1', [], { int64: 'big' as never })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    })
  })
})
