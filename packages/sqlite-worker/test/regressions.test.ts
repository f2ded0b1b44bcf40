import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { eventually } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Lane } from '../src/engine/lane.ts'
import { Operation } from '../src/engine/operation.ts'
import { QueueLimits } from '../src/engine/queue-limits.ts'
import { routeOf } from '../src/engine/routing.ts'
import { KnownTexts } from '../src/engine/known-texts.ts'
import { firstKeyword, verbOf } from '../src/first-keyword.ts'
import type { SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { Control } from '../src/protocol.ts'
import { killWriter } from '../src/testing/index.ts'
import { Token } from '../src/token.ts'
import { openWorker, temporaryFile } from './fixture.ts'
import { blockWriter } from './fixtures/observe.ts'
import { ROWS } from './fixtures/sql.ts'
import { Statements } from '../src/worker/statements.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function withTable(options: SqliteWorkerOptions & { file?: string } = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (n)')
  return worker
}

/** Another connection that holds the write lock until it commits. */
function locked(file: string): Database.Database {
  const other = new Database(file)
  onTestFinished(() => void other.close())
  other.exec('BEGIN IMMEDIATE')
  return other
}

describe('a stream', () => {
  it('goes on as long as its consumer takes rows, however long it takes for all', async () => {
    const worker = openWorker({ maxStreamIdleMs: 1000 })
    let count = 0
    for await (const row of worker.stream(ROWS, [1e9])) {
      count += Object.keys(row).length
      if (count % 20 === 0) await pause(100) // a chunk takes more than a second, no row does
      if (count === 500) break
    }
    expect(count).toBe(500)
  })

  it('that has all its rows may be left alone', async () => {
    const worker = openWorker({ maxStreamIdleMs: 20 })
    const rows = worker.stream(ROWS, [10])
    await rows.next()
    await pause(60)
    let count = 1
    for await (const row of rows) count += Object.keys(row).length
    expect(count).toBe(10)
  })

  it('gives its connection back once all of its rows have arrived', async () => {
    const worker = openWorker({ maxStreams: 1 })
    const rows = worker.stream(ROWS, [1500])
    await rows.next()
    await eventually(() => expect(worker.stats().streams).toBe(0))
    const next = worker.stream(ROWS, [5000])
    await next.next()
    let count = 1
    for await (const row of rows) count += Object.keys(row).length
    expect(count).toBe(1500)
    for await (const row of next) count += Object.keys(row).length
    expect(count).toBe(1500 + 4999)
    await worker.backup(temporaryFile())
  })

  it('rejects for a call that does not fit when its first row is asked for', async () => {
    const worker = openWorker()
    for (const rows of [worker.stream(5 as never), worker.stream('SELECT ?', [Number.NaN])])
      await expect(rows.next()).rejects.toMatchObject({ name: 'UsageError' })
    const tx = await worker.beginTransaction()
    await tx.commit()
    await expect(tx.stream('SELECT 1').next()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_ENDED' })
  })
})

it('a relative path stays the file that it was when the worker was made', async () => {
  const [home, folder] = [process.cwd(), dirname(temporaryFile())]
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  onTestFinished(() => process.chdir(home))
  process.chdir(folder)
  const worker = await withTable({ file: 'relative.db', readers: 1, retryDelay: 0 })
  process.chdir(elsewhere)
  await worker.insert('t', { n: 1 })
  expect(await worker.select('t')).toEqual([{ n: 1 }])
  await killWriter(worker)
  await worker.insert('t', { n: 2 })
  expect(await worker.select('t')).toHaveLength(2)
})

it('executeInit that meets a lock goes on where it was, and runs nothing twice', async () => {
  const [file, attached] = [temporaryFile(), temporaryFile()]
  new Database(attached).exec('CREATE TABLE t (n)').close()
  const other = locked(attached)
  const worker = openWorker({
    file,
    executeInit: [
      `CREATE TABLE boots (n); INSERT INTO boots VALUES (1); ATTACH '${attached}' AS b; INSERT INTO b.t VALUES (1)`,
    ],
  })
  const opened = worker.execute('SELECT 1')
  const watcher = new Database(file)
  onTestFinished(() => void watcher.close())
  await eventually(() => expect(watcher.prepare('SELECT n FROM boots').all()).toEqual([{ n: 1 }]))
  await pause(100) // it has met the lock by now
  other.exec('COMMIT')
  await opened
  expect(await worker.execute('SELECT n FROM boots')).toEqual([{ n: 1 }])
  expect(other.prepare('SELECT n FROM t').all()).toEqual([{ n: 1 }])
})

describe('a causal read', () => {
  it('sees a transaction that was told to commit before it, streams too', async () => {
    const worker = await withTable({ readers: 1 })
    const block = await blockWriter(worker)
    const begun = worker.beginTransaction()
    await block.release()
    const tx = await begun
    await tx.insert('t', { n: 1 })
    const committed = tx.commit()
    const reads = [worker.select('t'), worker.select('t')]
    const streamed = worker.stream('SELECT n FROM t').next()
    for (const rows of await Promise.all(reads)) expect(rows).toEqual([{ n: 1 }])
    expect(await streamed).toEqual({ done: false, value: { n: 1 } })
    await committed
    for (let n = 2; n < 50; n++) {
      const next = await worker.beginTransaction()
      await next.insert('t', { n })
      const done = next.commit()
      expect(await worker.select('t')).toHaveLength(n)
      await done
    }
  })

  it('waits for no transaction that was not told to commit', async () => {
    const worker = await withTable({ readers: 1 })
    const tx = await worker.beginTransaction()
    await tx.insert('t', { n: 1 })
    expect(await worker.select('t')).toEqual([])
    await tx.rollback()
    const next = await worker.beginTransaction()
    await next.commit()
    expect(await worker.select('t')).toEqual([])
    expect(worker.queueSize).toBe(0)
  })
})

describe('a nested transaction', () => {
  it.each(['before', 'after'])(
    'that is given up before it was sent, %s a statement of the outer one, leaves that as it was',
    async (when) => {
      const worker = await withTable()
      await worker.transaction(async (tx) => {
        if (when === 'after') await tx.insert('t', { n: 0 })
        const controller = new AbortController()
        const nested = worker.transaction(
          async (inner) => {
            const inserted = inner.insert('t', { n: 1 })
            controller.abort()
            await inserted
          },
          { signal: controller.signal },
        )
        await expect(nested).rejects.toMatchObject({ code: 'ERR_ABORTED' })
        await tx.transaction((inner) => inner.insert('t', { n: 2 }))
        await tx.insert('t', { n: 3 })
      })
      const kept = when === 'after' ? [{ n: 0 }, { n: 2 }, { n: 3 }] : [{ n: 2 }, { n: 3 }]
      expect(await worker.select('t')).toEqual(kept)
    },
  )
})

describe('the end of a transaction that was not sent', () => {
  it('is rejected with what aborts the line around it', () => {
    const failed: [unknown, Error][] = []
    const root = new Lane({ fulfilled: () => {}, failed: ({ what }, error) => failed.push([what, error]) })
    const transaction = root.open(Control.beginImmediate)
    transaction.push(new Operation({ what: 'SELECT 1' }, new Token(() => {}), transaction, 1))
    while (!transaction.isEmpty) transaction.shift()
    transaction.isSent = true
    transaction.end('commit')
    const death = new Error('died')
    root.abort(death)
    expect(failed).toEqual([[Control.commit, death]])
  })
})

it('what has its outcome is not held until the time it might have waited is over', async () => {
  const limits = new QueueLimits(
    { maxQueueSize: 10, maxQueueBytes: 10, queuePolicy: 'wait', queueTimeoutMs: 600_000 },
    { hold: () => {}, release: () => {} } as never,
    () => {},
  )
  const done = (() => {
    const operation = new Operation({ what: 'SELECT 1' }, new Token(() => {}), undefined, performance.now())
    limits.add(operation, true)
    operation.isSent = true
    limits.done(operation)
    return new WeakRef(operation)
  })()
  await expect
    .poll(() => {
      collectGarbage()
      return done.deref() === undefined
    })
    .toBe(true)
  expect(limits.size).toBe(0)
})

it('texts are remembered up to a number of characters', () => {
  const known = new KnownTexts<number>()
  const texts = Array.from({ length: 10 }, (_, i) => `${i}${'x'.repeat(2 ** 20)}`)
  for (const [i, text] of texts.entries()) known.set(text, i)
  const kept = texts.filter((text) => known.get(text) !== undefined)
  expect(kept.length).toBeLessThan(5)
  expect(known.get(texts.at(-1) as string)).toBe(9)
  for (let i = 0; i < 3000; i++) known.set('y', i) // once, however often
  known.delete('y')
  expect(kept.filter((text) => known.get(text) !== undefined)).toEqual(kept)
})

it('a transaction that its timeout rolled back and nobody ended is reported', async () => {
  const told: unknown[] = []
  const worker = await withTable({ onUnobservedError: (error) => told.push(error) })
  const tx = await worker.beginTransaction({ timeoutMs: 20 })
  await tx.insert('t', { n: 1 })
  await eventually(() => expect(told).toMatchObject([{ code: 'ERR_TRANSACTION_TIMEOUT' }]))
  expect(await worker.select('t')).toEqual([])
  await expect(tx.commit()).rejects.toBe(told[0])
})

it('a database in memory is gone with its thread, and every call says so', async () => {
  const worker = await withTable({ file: ':memory:', retryDelay: 0 })
  await worker.insert('t', { n: 1 })
  await killWriter(worker)
  const gone = { code: 'ERR_WORKER_DIED', message: expect.stringContaining('its database') as string }
  await expect(worker.select('t')).rejects.toMatchObject(gone)
  await expect(worker.insert('t', { n: 2 })).rejects.toMatchObject(gone)
  await expect(worker.transaction(() => 1)).rejects.toMatchObject(gone)
  await expect(worker.stream('SELECT 1').next()).rejects.toMatchObject(gone)
})

it('a batch that only reads waits for no write lock', async () => {
  const file = temporaryFile()
  const worker = await withTable({ file, busyTimeoutMs: 0 })
  locked(file)
  expect(await worker.batch([{ sql: 'SELECT n FROM t' }, { sql: 'VALUES (1)' }])).toHaveLength(2)
  await expect(
    worker.batch([{ sql: 'SELECT n FROM t' }, { sql: 'INSERT INTO t VALUES (1)' }]),
  ).rejects.toMatchObject({ sqliteCode: 'SQLITE_BUSY' })
})

it('arguments of procedures weigh in the queue what they hold', async () => {
  const worker = await withTable()
  const block = await blockWriter(worker)
  const { nothing } = worker.procedures<{ nothing(db: unknown, ...args: unknown[]): void }>(
    new URL('data:text/javascript,export function nothing() {}'),
  )
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const calls = [
    ['x'.repeat(1000)],
    [{ list: [new Uint8Array(1000)] }],
    [new Map([['key', new Set(['x'.repeat(1000)])]])],
    [new ArrayBuffer(1000), cyclic],
  ].map((args) => {
    const before = worker.stats().queueBytes
    const call = nothing(...args)
    return { call, bytes: worker.stats().queueBytes - before }
  })
  for (const { bytes } of calls) {
    expect(bytes).toBeGreaterThan(1000)
    expect(bytes).toBeLessThan(1500)
  }
  await block.release()
  await Promise.all(calls.map(({ call }) => call))
  expect(worker.stats().queueBytes).toBe(0)
})

describe('lastInsertRowid', () => {
  it('is 0 for what inserts nothing, whatever functions and names it uses', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, x)')
    const inserted = { changes: 1, lastInsertRowid: 77 }
    expect(await worker.insert('t', { id: 77, x: 'a' })).toEqual(inserted)
    const changed = { changes: 1, lastInsertRowid: 0 }
    expect(await worker.execute("UPDATE t SET x = replace(x, 'a', 'b')")).toEqual(changed)
    expect(
      await worker.execute("WITH replace AS (SELECT 1), b(x) AS (SELECT 'insert (') UPDATE t SET x = 1"),
    ).toEqual(changed)
    expect(await worker.execute('WITH a AS (SELECT 78) INSERT INTO t (id) SELECT * FROM a')).toEqual({
      changes: 1,
      lastInsertRowid: 78,
    })
    expect(await worker.execute('/* */ REPLACE INTO t (id) VALUES (77)')).toEqual(inserted)
  })

  it.each([
    ['WITH a(x) AS (SELECT 1), b AS MATERIALIZED (VALUES (2)) SELECT replace(x, 1, 2) FROM a', 'SELECT'],
    ['WITH RECURSIVE "a)" AS (SELECT \')\') /* ( */ DELETE FROM t', 'DELETE'],
    ['with a as (select (1)) insert into t select * from a', 'INSERT'],
    ['WITH a AS (SELECT 1', ''],
    ['SELECT 1', 'SELECT'],
  ])('verb of %s', (sql, verb) => {
    expect(verbOf(sql)).toBe(verb)
    expect(routeOf(sql)).toBe(verb === 'SELECT' ? 'read' : 'write')
  })
})

it('a long run of comments before a statement costs no time', () => {
  // with backtracking it would not end in this life
  expect(firstKeyword(`${'/**/'.repeat(50_000)}1`)).toBe('')
  expect(firstKeyword(`;${'--\n ; '.repeat(50_000)}select 1`)).toBe('SELECT')
})

it('a statement that asks for total_changes() shares no transaction, whose replay it would count', () => {
  const db = new Database(':memory:')
  onTestFinished(() => void db.close())
  db.exec('CREATE TABLE t (n)')
  const statements = new Statements(db)
  statements.define([
    1,
    'INSERT INTO t SELECT total_changes()',
    'strict',
    2,
    'INSERT INTO t VALUES (1)',
    'strict',
  ])
  expect([statements.get(1).kind, statements.get(2).kind]).toEqual(['single', 'group'])
})
