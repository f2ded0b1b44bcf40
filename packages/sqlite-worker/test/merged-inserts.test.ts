import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import type { SqliteWorker, Value } from '../src/index.ts'
import { Batch } from '../src/worker/batch.ts'
import { MERGED_ROWS, MergedInserts } from '../src/worker/merged-inserts.ts'
import { plainInsertOf } from '../src/worker/plain-insert.ts'
import { Prepared } from '../src/worker/prepared.ts'
import { Schema } from '../src/worker/schema.ts'
import { openWorker, temporaryFile } from './fixture.ts'

const COUNT = 40
const INSERT = 'INSERT INTO t (a, b) VALUES (?, ?)'

/** Distinct values, some of which the schemas below refuse, ignore or take for a duplicate. */
const plain: Value[][] = Array.from({ length: COUNT }, (_, i) => [i, `text ${i}`])
const mixed: Value[][] = Array.from({ length: COUNT }, (_, i) => [
  i % 11 === 10 ? 3 : i,
  i % 13 === 12 ? null : `text ${i}`,
])

interface Given {
  schema: string
  sql?: string
  sets?: readonly Value[][]
  /** Whether a rowid means something. */
  hasRowid?: boolean
}

const schemas: Record<string, Given> = {
  'an ordinary table': { schema: 'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)' },
  'names in quotes and in other case': {
    schema: 'CREATE TABLE "t" (id INTEGER PRIMARY KEY, "a", b)',
    sql: 'insert into "T" ("A", B) values ( ? , ? );',
  },
  'a table with AUTOINCREMENT': { schema: 'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, b)' },
  'a key given as NULL': {
    schema: 'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)',
    sql: 'INSERT INTO t (id, a, b) VALUES (null, ?, ?)',
  },
  'a key of the caller': {
    schema: 'CREATE TABLE t (id INTEGER PRIMARY KEY, b)',
    sql: 'INSERT INTO t (id, b) VALUES (?, ?)',
    sets: plain.toReversed(),
  },
  'a rowid of the caller': {
    schema: 'CREATE TABLE t (a, b)',
    sql: 'INSERT INTO t (rowid, b) VALUES (?, ?)',
    sets: plain.toReversed(),
  },
  'a unique column': { schema: 'CREATE TABLE t (a UNIQUE, b)', sets: mixed },
  'a column that is not null': { schema: 'CREATE TABLE t (a, b NOT NULL)', sets: mixed },
  'a check': { schema: "CREATE TABLE t (a, b CHECK (b <> 'text 21'))" },
  'strict types': { schema: 'CREATE TABLE t (a INTEGER, b TEXT) STRICT', sets: [...plain, ['x', 'y']] },
  'a foreign key': {
    schema:
      "PRAGMA foreign_keys = ON; CREATE TABLE p (b PRIMARY KEY); INSERT INTO p VALUES ('text 7'); CREATE TABLE t (a, b REFERENCES p (b))",
  },
  'a deferred foreign key': {
    schema:
      "PRAGMA foreign_keys = ON; CREATE TABLE p (b PRIMARY KEY); INSERT INTO p VALUES ('text 7'); CREATE TABLE t (a, b REFERENCES p (b) DEFERRABLE INITIALLY DEFERRED)",
  },
  'a conflict clause that ignores': {
    schema: 'CREATE TABLE t (a UNIQUE ON CONFLICT IGNORE, b)',
    sets: mixed,
  },
  'a conflict clause that replaces': {
    schema: 'CREATE TABLE t (a UNIQUE ON CONFLICT REPLACE, b)',
    sets: mixed,
  },
  'a conflict clause that rolls back': {
    schema: 'CREATE TABLE t (a UNIQUE ON CONFLICT ROLLBACK, b)',
    sets: mixed,
  },
  'a conflict clause that fails half-way': {
    schema: 'CREATE TABLE t (a UNIQUE ON CONFLICT FAIL, b)',
    sets: mixed,
  },
  'a trigger that ignores rows': {
    schema:
      'CREATE TABLE t (a, b); CREATE TRIGGER tr BEFORE INSERT ON t WHEN NEW.a % 3 = 0 BEGIN SELECT RAISE(IGNORE); END',
  },
  'a trigger that inserts into the same table': {
    schema:
      'CREATE TABLE t (a, b); CREATE TRIGGER tr AFTER INSERT ON t WHEN NEW.a < 100 BEGIN INSERT INTO t VALUES (NEW.a + 100, 1); END',
  },
  'a table without rowids': {
    schema: 'CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID',
    hasRowid: false,
    sets: mixed,
  },
  'a view': {
    schema:
      'CREATE TABLE u (a, b); CREATE VIEW t AS SELECT a, b FROM u; CREATE TRIGGER tr INSTEAD OF INSERT ON t BEGIN INSERT INTO u VALUES (NEW.a, NEW.b); END',
    hasRowid: false,
  },
  'a virtual table': { schema: 'CREATE VIRTUAL TABLE t USING fts5 (a, b)' },
  'a default that looks back': {
    schema: 'CREATE TABLE t (a, b, c DEFAULT (last_insert_rowid() IS NOT NULL))',
  },
  'a temporary table of the same name': {
    schema: 'CREATE TABLE t (a, b); CREATE TEMP TABLE t (a UNIQUE ON CONFLICT IGNORE, b)',
    sets: mixed,
  },
  'a column called rowid': {
    schema: 'CREATE TABLE t (a, b, rowid TEXT)',
    sql: 'INSERT INTO t (a, rowid) VALUES (?, ?)',
  },
  'the greatest possible rowid in use': {
    schema:
      'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, b); INSERT INTO t VALUES (9223372036854775807, 1, 1)',
  },
  'too few parameters': { schema: 'CREATE TABLE t (a, b)', sets: plain.map((set) => set.slice(1)) },
}

describe('inserts of many callers at once come to what each would have alone', () => {
  it.each(Object.keys(schemas))('with %s', async (name) => {
    const { schema, sql = INSERT, sets = plain, hasRowid = true } = schemas[name] as Given
    const expected = await oneByOne(schema, sql, sets)
    const worker = openWorker()
    await worker.executeScript(schema)
    const outcomes = await Promise.all(sets.map((params) => outcomeOf(worker, sql, params)))
    const rowids = (list: readonly Outcome[]) =>
      hasRowid ? list : list.map((outcome) => ({ ...outcome, rowid: 0 }))
    expect(rowids(outcomes)).toEqual(rowids(expected.outcomes))
    expect(await rowsOf(worker)).toEqual(expected.rows)
  })

  it('when SQLite has to look for free rowids, as each is told which row is its own', async () => {
    const worker = openWorker()
    await worker.executeScript('CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)')
    await worker.execute('INSERT INTO t VALUES (9223372036854775807, -1, NULL)')
    const rows = await Promise.all(plain.map((params) => worker.execute(INSERT, params)))
    const stored = await worker.execute('SELECT a, id FROM t WHERE a >= 0 ORDER BY a', [], {
      int64: 'bigint',
    })
    expect(rows.map(({ lastInsertRowid }, a) => ({ a, id: lastInsertRowid }))).toEqual(stored)
  })

  it('when another process adds a trigger in between', async () => {
    const file = temporaryFile()
    const worker = openWorker({ file })
    await worker.execute('CREATE TABLE t (a, b)')
    await Promise.all(plain.map((params) => worker.execute(INSERT, params)))
    const other = new Database(file)
    other.exec('CREATE TRIGGER tr BEFORE INSERT ON t WHEN NEW.a % 2 = 0 BEGIN SELECT RAISE(IGNORE); END')
    other.close()
    const results = await Promise.all(plain.map((params) => worker.execute(INSERT, params)))
    expect(results.map(({ changes }) => changes)).toEqual(plain.map((_, i) => i % 2))
  })

  it('when rows were deleted in between', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)')
    const insertAll = () => Promise.all(plain.map((params) => worker.execute(INSERT, params)))
    await insertAll()
    await worker.execute('DELETE FROM t WHERE id > 5')
    expect((await insertAll()).map(({ lastInsertRowid }) => lastInsertRowid)).toEqual(
      plain.map((_, i) => i + 6),
    )
  })

  it('when one of them is given up', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE t (a, b)')
    const given = new AbortController()
    const results = plain.map((params, i) =>
      worker.execute(INSERT, params, i === 3 ? { signal: given.signal } : {}).then(
        () => i,
        () => -1,
      ),
    )
    given.abort()
    expect(await Promise.all(results)).toEqual(plain.map((_, i) => (i === 3 ? -1 : i)))
    expect(await worker.execute('SELECT a FROM t', [], { rowMode: 'array' })).toEqual(
      plain.flatMap((_, i) => (i === 3 ? [] : [[i]])),
    )
  })
})

interface Outcome {
  changes?: number
  rowid?: number
  code?: unknown
}

async function outcomeOf(worker: SqliteWorker, sql: string, params: readonly Value[]): Promise<Outcome> {
  try {
    const result = await worker.execute(sql, params)
    return 'changes' in result ? { changes: result.changes, rowid: Number(result.lastInsertRowid) } : {}
  } catch (error) {
    return { code: (error as { sqliteCode?: unknown }).sqliteCode }
  }
}

const rowsOf = async (worker: SqliteWorker) => worker.execute('SELECT * FROM t', [], { int64: 'bigint' })

/** The same with one connection and no transaction. */
async function oneByOne(schema: string, sql: string, sets: readonly Value[][]) {
  const worker = openWorker({ maxCount: 1 })
  await worker.executeScript(schema)
  const outcomes = []
  for (const params of sets) outcomes.push(await outcomeOf(worker, sql, params))
  return { outcomes, rows: await rowsOf(worker) }
}

describe('one statement for several inserts', () => {
  it.each([
    ['an ordinary table', true],
    ['names in quotes and in other case', true],
    ['a table with AUTOINCREMENT', true],
    ['a key given as NULL', true],
    ['a unique column', true],
    ['strict types', true],
    ['a key of the caller', false],
    ['a rowid of the caller', false],
    ['a conflict clause that ignores', false],
    ['a trigger that ignores rows', false],
    ['a table without rowids', false],
    ['a view', false],
    ['a virtual table', false],
    ['a temporary table of the same name', false],
    ['a default that looks back', false],
  ])('with %s: %s', (name, expected) => {
    const { schema, sql = INSERT } = schemas[name] as Given
    const db = new Database(':memory:')
    db.exec(schema)
    const prepared = new Prepared(sql, db.prepare(sql), { kind: 'group', isChange: true, int64: 'strict' })
    db.exec('BEGIN')
    const batch = batchOf(plain.slice(0, MERGED_ROWS))
    expect(new MergedInserts(db, new Schema(db)).run(batch, 0, prepared)).toBe(expected)
    expect(db.prepare('SELECT count(*) FROM t').pluck().get()).toBe(expected ? MERGED_ROWS : 0)
    db.close()
  })

  it('leaves a statement alone once it could not tell whose row is whose', () => {
    const db = new Database(':memory:')
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES (9223372036854775807, 1, 1)')
    const prepared = new Prepared(INSERT, db.prepare(INSERT), {
      kind: 'group',
      isChange: true,
      int64: 'strict',
    })
    const merged = new MergedInserts(db, new Schema(db))
    for (const isOpen of [false, true]) {
      db.exec('BEGIN')
      expect(merged.run(batchOf(plain.slice(0, MERGED_ROWS)), 0, prepared)).toBe(false)
      expect(db.inTransaction).toBe(isOpen)
    }
    expect(db.prepare('SELECT count(*) FROM t').pluck().get()).toBe(1)
    db.close()
  })
})

it.each([
  'INSERT OR IGNORE INTO t (a) VALUES (?)',
  'INSERT INTO t VALUES (?)',
  'INSERT INTO t (a) VALUES (?), (?)',
  'INSERT INTO t (a) VALUES (?) RETURNING a',
  'INSERT INTO t (a) VALUES (?) ON CONFLICT DO NOTHING',
  'INSERT INTO t (a, b) VALUES (?1, ?1)',
  'INSERT INTO t (a) VALUES (:a)',
  'INSERT INTO t (a) VALUES (random())',
  'INSERT INTO main.t (a) VALUES (?)',
  'INSERT INTO t (a) SELECT ?',
  'INSERT INTO t (a) VALUES (?) -- note',
  'INSERT INTO t (a, b) VALUES (?)',
  'WITH x AS (SELECT 1) INSERT INTO t (a) VALUES (?)',
  'REPLACE INTO t (a) VALUES (?)',
])('%s is no plain insert', (sql) => expect(plainInsertOf(sql)).toBeUndefined())

it('a plain insert is read with the names as SQLite takes them', () => {
  const insert = plainInsertOf('insert INTO "My ""T" ( "A, B" , cÄ, D ) VALUES (?, NULL,?) ; ')
  expect(insert).toMatchObject({ table: 'my "t', assigned: ['a, b', 'd'] })
  expect(insert?.forRows(2)).toBe('insert INTO "My ""T" ( "A, B" , cÄ, D ) VALUES (?, NULL,?), (?, NULL,?)')
})

function batchOf(sets: readonly Value[][]): Batch {
  return new Batch({
    type: 'batch',
    leased: false,
    streamed: false,
    timed: false,
    define: [],
    forget: [],
    operations: sets.flatMap((set) => [0, set.length]),
    values: sets.flat(),
  })
}
