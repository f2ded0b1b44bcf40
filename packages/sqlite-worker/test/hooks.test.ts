import { describe, expect, it } from 'vitest'
import type { HookEvent, OpenTransaction, SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { gate, openWorker } from './fixture.ts'

async function withTable(options: SqliteWorkerOptions = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (n UNIQUE)')
  return worker
}

/** Texts of the statements that a hook was told of. */
function heard(worker: SqliteWorker, name: Parameters<SqliteWorker['registerHook']>[0]): string[] {
  const texts: string[] = []
  worker.registerHook(name, ({ sql }) => void texts.push(sql))
  return texts
}

const insert = (n: number): string => `INSERT INTO t VALUES (${n})`

/** Until hooks that were due have run: they follow those who wait for the statements. */
const afterHooks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('hooks', () => {
  it('are told of what was committed: the text, the table where it is known, the result', async () => {
    const worker = await withTable()
    const events: HookEvent[] = []
    for (const name of ['on_insert', 'on_update', 'on_delete', 'on_select'] as const)
      worker.registerHook(name, (event) => events.push(event))
    await worker.insert('t', { n: 1 }, { returning: true })
    await worker.update('t', { n: 2 }, { n: 1 })
    await worker.select('t', {}, { rowMode: 'array' })
    await worker.execute('delete from t')
    await worker.execute('REPLACE INTO t VALUES (3)')
    await worker.execute('VALUES (1)')
    await afterHooks()
    expect(events).toMatchObject([
      { table: 't', result: { changes: 1, lastInsertRowid: 1, rows: [{ n: 1 }] } },
      { table: 't', result: { changes: 1 } },
      { table: 't', result: [[2]] },
      { sql: 'delete from t', result: { changes: 1 } },
      { sql: 'REPLACE INTO t VALUES (3)', result: { changes: 1 } },
      { sql: 'VALUES (1)', result: [{ column1: 1 }] },
    ])
    expect(events[3]).toHaveProperty('table', undefined)
  })

  it('run in the order of the statements, on_query for all of them and first', async () => {
    const worker = await withTable()
    const order: string[] = []
    worker.registerHook('on_insert', ({ sql }) => order.push(`insert: ${sql}`))
    worker.registerHook('on_query', ({ sql }) => order.push(`query: ${sql}`))
    await Promise.all([
      worker.execute(insert(1)),
      worker.execute('CREATE TABLE u (a)'),
      worker.executeScript('SELECT 1; SELECT 2'),
    ])
    await worker.batch([{ sql: insert(2) }, { sql: 'SELECT 3' }])
    await worker.execute('WITH x AS (SELECT 4) INSERT INTO t SELECT * FROM x')
    await afterHooks()
    expect(order).toEqual([
      `query: ${insert(1)}`,
      `insert: ${insert(1)}`,
      'query: CREATE TABLE u (a)',
      'query: SELECT 1; SELECT 2',
      `query: ${insert(2)}`,
      `insert: ${insert(2)}`,
      'query: SELECT 3',
      'query: WITH x AS (SELECT 4) INSERT INTO t SELECT * FROM x',
    ])
  })

  it('are not told of what failed', async () => {
    const worker = await withTable()
    await worker.execute(insert(1))
    const texts = heard(worker, 'on_query')
    await worker.execute(insert(1)).catch(() => {})
    await worker.batch([{ sql: insert(2) }, { sql: insert(1) }]).catch(() => {})
    await worker.executeScript(`${insert(3)}; nonsense`).catch(() => {})
    await afterHooks()
    expect(texts).toEqual([])
  })

  it('defect of the seed: hooks fire for rolled-back rows', async () => {
    const worker = await withTable()
    const texts = heard(worker, 'on_insert')
    const failed = worker.transaction(async (tx) => {
      await tx.execute(insert(1))
      await tx.transaction((inner) => inner.execute(insert(2)))
      throw new Error('undo')
    })
    await expect(failed).rejects.toThrow('undo')
    const tx = await worker.beginTransaction()
    await tx.execute(insert(3))
    await tx.rollback()
    await worker.select('t')
    await afterHooks()
    expect(texts).toEqual([])
  })

  it('are told of a transaction once it is committed, in order, without what a nested one undid', async () => {
    const worker = await withTable()
    const texts = heard(worker, 'on_insert')
    await worker.transaction(async (tx) => {
      await tx.execute(insert(1))
      await tx.transaction((inner) => inner.execute(insert(2)))
      await tx
        .transaction(async (inner) => {
          await inner.execute(insert(3))
          await inner.transaction((innermost) => innermost.execute(insert(4)))
          throw new Error('undo')
        })
        .catch(() => {})
      await tx.execute(insert(5))
      await afterHooks()
      expect(texts).toEqual([])
    })
    await afterHooks()
    expect(texts).toEqual([insert(1), insert(2), insert(5)])
    const tx = await worker.beginTransaction()
    await tx.execute(insert(6))
    await tx.commit()
    await afterHooks()
    expect(texts.at(-1)).toBe(insert(6))
  })

  it('are told once of a transaction that is ended twice', async () => {
    const worker = await withTable()
    const texts = heard(worker, 'on_insert')
    const tx = await worker.beginTransaction()
    await tx.execute(insert(1))
    await Promise.allSettled([tx.commit(), tx.commit(), tx.rollback()])
    await afterHooks()
    expect(texts).toEqual([insert(1)])
  })

  it('defect of the seed: a hook that queries deadlocks', async () => {
    const worker = await withTable()
    await worker.execute('CREATE TABLE log (n)')
    const logged = gate()
    worker.registerHook('on_insert', async ({ sql, table }) => {
      if (table !== 't') return
      const [row] = await worker.execute('SELECT COUNT(*) AS n FROM t')
      await worker.transaction((tx) => tx.insert('log', { n: row?.['n'] as number }))
      await worker.insert('log', { n: sql.length })
      logged.open()
    })
    await worker.insert('t', { n: 1 })
    await logged.opened
    expect(await worker.select('log')).toHaveLength(2)
  })

  it('run outside of any transaction, whatever they are told of and whoever ended it', async () => {
    const worker = await withTable()
    await worker.execute('CREATE TABLE log (n)')
    const writes: PromiseLike<unknown>[] = []
    worker.registerHook(
      'on_insert',
      ({ table }) => table === 't' && writes.push(worker.insert('log', { n: 1 })),
    )
    await worker.transaction((tx) => tx.insert('t', { n: 1 }))
    const begun = gate()
    let open: OpenTransaction | undefined
    let committed: Promise<void> | undefined
    await worker.transaction(() => {
      committed = begun.opened.then(() => open?.commit()) // in the context of a transaction that has ended by then
    })
    open = await worker.beginTransaction()
    await open.insert('t', { n: 2 })
    begun.open()
    await committed
    await afterHooks()
    await Promise.all(writes)
    expect(await worker.select('log')).toHaveLength(2)
  })

  it('that throw or reject are reported once each, and stop nothing', async () => {
    const reported: unknown[] = []
    const worker = await withTable({ onUnobservedError: (error) => reported.push(error) })
    const texts: string[] = []
    worker.registerHook('on_insert', () => {
      throw new Error('thrown')
    })
    worker.registerHook('on_insert', () => Promise.reject(new Error('rejected')))
    worker.registerHook('on_insert', () => worker.execute('nonsense'))
    worker.registerHook('on_insert', () => void worker.execute('more nonsense'))
    worker.registerHook('on_insert', ({ sql }) => texts.push(sql))
    await worker.execute(insert(1))
    await worker.close()
    expect(reported.map((error) => (error as Error).message).toSorted()).toEqual([
      'near "more": syntax error',
      'near "nonsense": syntax error',
      'rejected',
      'thrown',
    ])
    expect(texts).toEqual([insert(1)])
  })

  it('can be unregistered, also by themselves, and count once when registered twice', async () => {
    const worker = await withTable()
    let calls = 0
    const hook = (): void => {
      calls += 1
      expect(worker.unregisterHook('on_insert', hook)).toBe(true)
    }
    worker.registerHook('on_insert', hook)
    worker.registerHook('on_insert', hook)
    const texts = heard(worker, 'on_insert')
    await worker.batch([{ sql: insert(1) }, { sql: insert(2) }])
    await afterHooks()
    expect([calls, texts.length]).toEqual([1, 2])
    expect(worker.unregisterHook('on_insert', hook)).toBe(false)
    expect(worker.unregisterHook('on_query', hook)).toBe(false)
  })

  it('have known names and are functions', async () => {
    const worker = await withTable()
    expect(() => worker.registerHook('on_drop' as never, () => {})).toThrow(
      'on_query, on_insert, on_update, on_delete, on_select',
    )
    expect(() => worker.registerHook('on_query', 5 as never)).toThrow('a hook to be a function')
    expect(() => worker.unregisterHook('query' as never, () => {})).toThrow("hook's name")
  })
})
