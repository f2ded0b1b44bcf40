import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { isSqliteWorkerError, type SqliteWorker } from '../src/index.ts'
import { openWorker, temporaryFile } from './fixture.ts'

async function withNames(): Promise<{ worker: SqliteWorker; names: () => Promise<unknown[]> }> {
  const worker = openWorker()
  await worker.execute('CREATE TABLE t (name UNIQUE)')
  const names = async (): Promise<unknown[]> =>
    (await worker.execute<{ name: unknown }>('SELECT name FROM t ORDER BY rowid')).map(({ name }) => name)
  return { worker, names }
}

const insert = (...names: unknown[]): { sql: string; params: string[] }[] =>
  names.map((name) => ({ sql: 'INSERT INTO t VALUES (?)', params: [name as string] }))

describe('batch', () => {
  it('resolves to the outcome of each statement, rows as each asks for them', async () => {
    const { worker } = await withNames()
    expect(
      await worker.batch([
        ...insert('a'),
        { sql: 'SELECT name, rowid FROM t' },
        { sql: 'SELECT name, rowid FROM t', rowMode: 'array', int64: 'bigint' },
        {
          sql: 'INSERT INTO t VALUES (:name) RETURNING name, rowid',
          params: { name: 'b' },
          rowMode: 'array',
        },
        { sql: 'INSERT INTO t VALUES (?) RETURNING rowid', params: ['c'], int64: 'bigint' },
        { sql: 'UPDATE t SET name = name || 1' },
        { sql: 'PRAGMA user_version' },
        { sql: 'SELECT 1 WHERE 0' },
        { sql: 'WITH x AS (SELECT 1) DELETE FROM t' },
      ]),
    ).toEqual([
      { changes: 1, lastInsertRowid: 1 },
      [{ name: 'a', rowid: 1 }],
      [['a', 1n]],
      { changes: 1, lastInsertRowid: 2, rows: [['b', 2]] },
      { changes: 1, lastInsertRowid: 3, rows: [{ rowid: 3n }] },
      { changes: 3, lastInsertRowid: 0 },
      [{ user_version: 0 }],
      [],
      { changes: 3, lastInsertRowid: 0 },
    ])
    expect(await worker.batch([])).toEqual([])
  })

  it('undoes all of it when one statement fails', async () => {
    const { worker, names } = await withNames()
    await expect(worker.batch(insert('a', 'b', 'a'))).rejects.toMatchObject({
      sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE',
    })
    await expect(worker.batch([...insert('a'), { sql: 'nonsense' }])).rejects.toThrow('syntax error')
    await expect(worker.batch([...insert('a'), { sql: 'SELECT ?', params: [] }])).rejects.toMatchObject({
      code: 'ERR_PARAMETERS',
    })
    await expect(worker.batch([...insert(2n ** 60n), { sql: 'SELECT name FROM t' }])).rejects.toMatchObject({
      code: 'ERR_INTEGER_RANGE',
    })
    expect(await names()).toEqual([])
  })

  it('refuses what is no list of statements, and statements that end a transaction', async () => {
    const { worker, names } = await withNames()
    await expect(worker.batch('x' as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await expect(worker.batch([null as never]).catch(isSqliteWorkerError)).resolves.toBe(true)
    await expect(worker.batch([{ sql: 5 as never }])).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await expect(worker.batch([{ sql: 'SELECT 1', signal: 1 } as never])).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    })
    for (const sql of ['COMMIT', 'ROLLBACK', '; END', 'SAVEPOINT x'])
      await expect(worker.batch([...insert('a'), { sql }, ...insert('b')])).rejects.toMatchObject({
        code: 'ERR_TRANSACTION_CONTROL',
      })
    expect(await names()).toEqual([])
  })

  it('changes the schema and uses it, all or nothing', async () => {
    const { worker } = await withNames()
    const ddl = [
      { sql: 'CREATE TABLE u (a)' },
      { sql: 'INSERT INTO u VALUES (1)' },
      { sql: 'ALTER TABLE u ADD COLUMN b' },
      { sql: 'SELECT * FROM u' },
    ]
    await expect(worker.batch([...ddl, { sql: 'nonsense' }])).rejects.toThrow('syntax error')
    expect(await worker.execute("SELECT name FROM sqlite_schema WHERE name = 'u'")).toEqual([])
    expect((await worker.batch(ddl)).at(-1)).toEqual([{ a: 1, b: null }])
  })

  it('shares commits with the inserts of other callers, whose fate is their own', async () => {
    const { worker, names } = await withNames()
    const outcomes = await Promise.allSettled([
      worker.insert('t', { name: 'a' }),
      worker.batch(insert('b', 'a')),
      worker.batch(insert('c', 'd')),
      worker.insert('t', { name: 'c' }),
      worker.insert('t', { name: 'e' }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(await names()).toEqual(['a', 'c', 'd', 'e'])
    expect(worker.stats().writer.groupSize.max).toBe(5)
  })

  it('of which a trigger rolls the transaction back undoes nothing but itself', async () => {
    const { worker, names } = await withNames()
    await worker.execute(
      "CREATE TRIGGER no BEFORE INSERT ON t WHEN new.name = 'no' BEGIN SELECT RAISE(ROLLBACK, 'refused'); END",
    )
    const outcomes = await Promise.allSettled([
      worker.insert('t', { name: 'a' }, { returning: true }),
      worker.batch(insert('b', 'no', 'c')),
      worker.insert('t', { name: 'd' }, { returning: true }),
      worker.batch(insert('no')),
      worker.insert('t', { name: 'a' }),
      worker.batch(insert('e', 'f')),
    ])
    expect(outcomes).toMatchObject([
      { value: { rows: [{ name: 'a' }] } },
      { reason: { message: 'refused' } },
      { value: { rows: [{ name: 'd' }] } },
      { reason: { message: 'refused' } },
      { reason: { sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' } },
      { value: [{ changes: 1 }, { changes: 1 }] },
    ])
    expect(await names()).toEqual(['a', 'd', 'e', 'f'])
    const failed = worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'g' })
      await tx.batch(insert('h', 'no')).catch(() => {})
      await tx.insert('t', { name: 'i' }).catch(() => {})
    })
    await expect(failed).rejects.toThrow('refused')
    expect(await names()).toEqual(['a', 'd', 'e', 'f'])
  })

  it('is a step of its own inside a transaction', async () => {
    const { worker, names } = await withNames()
    await worker.transaction(async (tx) => {
      await tx.batch(insert('a', 'b'))
      await tx.batch(insert('c', 'a')).catch(() => {})
      await worker.batch(insert('d'))
      await expect(worker.outside(() => worker.execute('SELECT name FROM t'))).resolves.toEqual([])
    })
    expect(await names()).toEqual(['a', 'b', 'd'])
  })

  it('copies its values at the call, and takes a thousand statements with large results', async () => {
    const { worker, names } = await withNames()
    const data = new Uint8Array([1])
    const token = worker.batch([{ sql: 'INSERT INTO t VALUES (?)', params: [data] }])
    data[0] = 2
    await token
    expect(await names()).toEqual([new Uint8Array([1])])
    await worker.batch(Array.from({ length: 1500 }, (_, i) => insert(`n${i}`)).flat())
    const results = await worker.batch(Array.from({ length: 20 }, () => ({ sql: 'SELECT name FROM t' })))
    expect(results.map((rows) => (rows as object[]).length)).toEqual(Array.from({ length: 20 }, () => 1501))
  })
})

describe('executeScript', () => {
  it('runs several statements, literals and triggers with semicolons included', async () => {
    const { worker, names } = await withNames()
    expect(
      await worker.executeScript(`
        INSERT INTO t VALUES ('a;b'); -- a comment; with one
        CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET name = name || '!' WHERE name = 'c'; SELECT 1; END;
        INSERT INTO t VALUES ('c'); SELECT name FROM t`),
    ).toBeUndefined()
    expect(await names()).toEqual(['a;b', 'c!'])
    await worker.executeScript('')
    await worker.executeScript(' -- nothing\n;;')
  })

  it('is all or nothing, also inside a transaction', async () => {
    const { worker, names } = await withNames()
    const script = "INSERT INTO t VALUES ('a'); CREATE TABLE u (a); INSERT INTO t VALUES ('a')"
    await expect(worker.executeScript(script)).rejects.toMatchObject({
      sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE',
    })
    await worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'kept' })
      await tx.executeScript(script).catch(() => {})
      await tx.executeScript("INSERT INTO t VALUES ('b')")
    })
    expect(await names()).toEqual(['kept', 'b'])
    expect(await worker.execute("SELECT name FROM sqlite_schema WHERE name = 'u'")).toEqual([])
  })

  it('refuses transaction control with its line, before anything runs', async () => {
    const { worker, names } = await withNames()
    const refused = worker.executeScript("INSERT INTO t VALUES ('a');\n\nCOMMIT")
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_TRANSACTION_CONTROL',
      message: expect.stringContaining('COMMIT in line 3') as string,
    })
    await expect(worker.executeScript(5 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    expect(await names()).toEqual([])
  })
})

const MODULE = `
export const add = (db, ...names) => names.map((name) => db.prepare('INSERT INTO t VALUES (?)').run(name).changes)
export const names = (db) => db.prepare('SELECT name FROM t').pluck().all()
export function failing(db) { add(db, 'lost'); throw new RangeError('not that') }
export function throwing(db, what) { add(db, 'lost'); throw what }
export async function later(db) { add(db, 'lost') }
export async function rejecting(db) { add(db, 'lost'); throw new Error('later') }
export const uncloneable = (db) => { add(db, 'lost'); return () => {} }
export const echo = (db, value) => value
export const commits = (db) => { add(db, 'stays'); db.exec('COMMIT') }
export const nested = (db) => db.transaction(() => add(db, 'nested'))()
export const number = 5
`
interface Module {
  add(db: unknown, ...names: string[]): number[]
  names(db: unknown): string[]
  failing(db: unknown): void
  throwing(db: unknown, what: unknown): void
  later(db: unknown): void
  rejecting(db: unknown): void
  uncloneable(db: unknown): void
  echo(db: unknown, value: unknown): unknown
  commits(db: unknown): void
  nested(db: unknown): number[]
  missing(db: unknown): void
  number(db: unknown): void
}

function moduleOf(text: string): URL {
  const file = `${temporaryFile()}.mjs`
  writeFileSync(file, text)
  return pathToFileURL(file)
}

describe('procedures', () => {
  it('run in a transaction of their own and resolve to what they return', async () => {
    const { worker, names } = await withNames()
    const { add, names: read, echo, nested } = worker.procedures<Module>(moduleOf(MODULE))
    expect(await add('a', 'b')).toEqual([1, 1])
    expect(await read()).toEqual(['a', 'b'])
    for (const value of [undefined, null, { a: [1n, new Date(0), new Map([[1, 2]])] }, new Uint8Array([1])])
      expect(await echo(value)).toEqual(value)
    expect(await nested()).toEqual([1])
    expect(await names()).toEqual(['a', 'b', 'nested'])
    expect(await (await Promise.resolve(worker.procedures<Module>(moduleOf(MODULE)))).echo(1)).toBe(1)
  })

  it.each([
    ['failing', [], { code: 'ERR_PROCEDURE', cause: { message: 'not that' } }],
    ['throwing', ['a string'], { code: 'ERR_PROCEDURE', cause: 'a string' }],
    ['throwing', [undefined], { code: 'ERR_PROCEDURE' }],
    ['add', ['x', 'x'], { code: 'ERR_PROCEDURE', sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' }],
    ['later', [], { code: 'ERR_PROCEDURE', message: expect.stringContaining('promise') as string }],
    ['rejecting', [], { code: 'ERR_PROCEDURE', message: expect.stringContaining('promise') as string }],
    ['uncloneable', [], { code: 'ERR_PROCEDURE', message: expect.stringContaining('cloned') as string }],
    ['echo', [() => {}], { code: 'ERR_VALUE' }],
    ['missing', [], { code: 'ERR_INVALID_ARGUMENT' }],
    ['number', [], { code: 'ERR_INVALID_ARGUMENT' }],
    ['toString', [], { code: 'ERR_INVALID_ARGUMENT' }],
  ])('that cannot be done reject and change nothing: %s(%j)', async (name, args, error) => {
    const { worker, names } = await withNames()
    const procedures = worker.procedures<Record<string, (db: unknown, ...args: unknown[]) => unknown>>(
      moduleOf(MODULE),
    )
    const call = (...values: unknown[]): PromiseLike<unknown> =>
      procedures[name]?.(...values) as PromiseLike<unknown>
    await expect(call(...args)).rejects.toMatchObject(error)
    await worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'kept' })
      await expect(call(...args)).rejects.toMatchObject(error)
    })
    expect(await names()).toEqual(['kept'])
  })

  it('of a file that is missing or cannot be parsed reject, those of others do not', async () => {
    const { worker } = await withNames()
    const missing = worker.procedures<Module>(pathToFileURL(temporaryFile()))
    const broken = worker.procedures<Module>(moduleOf('export nonsense'))
    await expect(missing.add('a')).rejects.toMatchObject({ code: 'ERR_PROCEDURE' })
    await expect(broken.add('a')).rejects.toMatchObject({
      code: 'ERR_PROCEDURE',
      cause: expect.any(Error) as Error,
    })
    expect(await worker.procedures<Module>(moduleOf(MODULE)).add('a')).toEqual([1])
    expect(() => worker.procedures('x' as never)).toThrow('URL of a module')
  })

  it('belong to the transaction they are called in', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction(async (tx) => {
      await tx.procedures<Module>(moduleOf(MODULE)).add('a')
      await worker.procedures<Module>(moduleOf(MODULE)).add('b')
      expect(await tx.select('t')).toHaveLength(2)
      throw new Error('undo')
    })
    await expect(failed).rejects.toThrow('undo')
    expect(await names()).toEqual([])
  })

  it('that commit by themselves are told so, and the next calls are not harmed', async () => {
    const { worker, names } = await withNames()
    const { commits, add } = worker.procedures<Module>(moduleOf(MODULE))
    await expect(commits()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_CONTROL' })
    expect(await add('a')).toEqual([1])
    expect(await names()).toEqual(['stays', 'a'])
  })

  it('run in order with the statements around them', async () => {
    const { worker } = await withNames()
    const { names: read } = worker.procedures<Module>(moduleOf(MODULE))
    void worker.insert('t', { name: 'a' })
    const one = read()
    void worker.insert('t', { name: 'b' })
    expect(await one).toEqual(['a'])
    expect(await read()).toEqual(['a', 'b'])
  })
})
