import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { OpenTransaction, SqliteWorker, SqliteWorkerOptions, TransactionMessage } from '../src/index.ts'
import { gate, openWorker, temporaryFile } from './fixture.ts'
import { blockWriter, published } from './fixtures/observe.ts'

interface Setup {
  readonly worker: SqliteWorker
  readonly names: () => Promise<unknown[]>
  /** Another connection to the same file. */
  readonly other: Database.Database
}

async function withNames(options: SqliteWorkerOptions = {}): Promise<Setup> {
  const file = temporaryFile()
  const worker = openWorker({ file, ...options })
  await worker.execute('CREATE TABLE t (name UNIQUE)')
  const other = new Database(file, { timeout: 10_000 })
  onTestFinished(() => void other.close())
  const names = async (): Promise<unknown[]> =>
    (await worker.execute<{ name: string }>('SELECT name FROM t ORDER BY rowid')).map(({ name }) => name)
  return { worker, names, other }
}

const ended = { code: 'ERR_TRANSACTION_ENDED' }

describe('beginTransaction', () => {
  it('gives a transaction that is committed by hand, while other calls wait', async () => {
    const { worker, names } = await withNames()
    const tx = await worker.beginTransaction()
    await tx.insert('t', { name: 'a' })
    const outside = worker.insert('t', { name: 'outside' })
    await tx.insert('t', { name: 'b' })
    expect(await worker.execute('SELECT name FROM t', [], { consistency: 'eager' })).toEqual([])
    expect(await tx.select('t')).toHaveLength(2)
    await tx.commit()
    await outside
    expect(await names()).toEqual(['a', 'b', 'outside'])
  })

  it('gives one that is rolled back by hand', async () => {
    const { worker, names } = await withNames()
    const tx = await worker.beginTransaction()
    await tx.insert('t', { name: 'a' })
    await tx.rollback()
    await worker.insert('t', { name: 'b' })
    expect(await names()).toEqual(['b'])
  })

  it('is ended by worker.commit(tx) and worker.rollback(tx) too, and by nothing else', async () => {
    const { worker, names } = await withNames()
    const first = await worker.beginTransaction()
    void first.insert('t', { name: 'a' })
    await worker.commit(first)
    const second = await worker.beginTransaction()
    void second.insert('t', { name: 'b' })
    await worker.rollback(second)
    expect(await names()).toEqual(['a'])
    await expect(worker.commit(5 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await worker.transaction(async (tx) => {
      await expect(worker.rollback(tx as OpenTransaction)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
      })
    })
  })

  it('without statements ends as well', async () => {
    const { worker, names } = await withNames()
    await (await worker.beginTransaction()).commit()
    await (await worker.beginTransaction()).rollback()
    await worker.insert('t', { name: 'a' })
    expect(await names()).toEqual(['a'])
  })

  it('ends once: later commits reject, later rollbacks do nothing, its use rejects', async () => {
    const { worker, names } = await withNames()
    const messages = published<TransactionMessage>('transaction')
    const tx = await worker.beginTransaction()
    await tx.insert('t', { name: 'a' })
    const outcomes = await Promise.allSettled([tx.commit(), tx.commit(), tx.rollback()])
    expect(outcomes).toMatchObject([{ status: 'fulfilled' }, { reason: ended }, { status: 'fulfilled' }])
    await tx.rollback()
    await expect(tx.commit()).rejects.toMatchObject(ended)
    await expect(tx.insert('t', { name: 'b' })).rejects.toMatchObject(ended)
    await expect(tx.transaction(() => 1)).rejects.toMatchObject(ended)
    await expect(tx.stream('SELECT 1').next()).rejects.toMatchObject(ended)
    const undone = await worker.beginTransaction()
    await undone.insert('t', { name: 'b' })
    expect(await Promise.allSettled([undone.rollback(), undone.commit()])).toMatchObject([
      { status: 'fulfilled' },
      { reason: ended },
    ])
    expect(await names()).toEqual(['a'])
    expect(messages.map(({ outcome }) => outcome)).toEqual(['commit', 'rollback'])
  })

  it('rolls back with await using, unless it was committed', async () => {
    const { worker, names } = await withNames()
    for (const name of ['a', 'b']) {
      await using tx = await worker.beginTransaction()
      await tx.insert('t', { name })
      if (name === 'a') await tx.commit()
    }
    expect(await names()).toEqual(['a'])
  })

  it('rejects at its commit with the error of a statement that nobody awaited, and of COMMIT', async () => {
    const { worker, names } = await withNames({ executeInit: ['PRAGMA foreign_keys = ON'] })
    const tx = await worker.beginTransaction()
    for (const name of ['a', 'a', 'b']) void tx.insert('t', { name })
    await expect(tx.commit()).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' })
    await worker.execute('CREATE TABLE c (name REFERENCES t(name) DEFERRABLE INITIALLY DEFERRED)')
    const orphan = await worker.beginTransaction()
    await orphan.insert('c', { name: 'nobody' })
    await expect(orphan.commit()).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
    await orphan.rollback()
    expect([await names(), await worker.select('c')]).toEqual([[], []])
  })

  it('has nested ones', async () => {
    const { worker, names } = await withNames()
    const tx = await worker.beginTransaction()
    await tx.transaction((inner) => inner.insert('t', { name: 'a' }))
    await tx
      .transaction(async (inner) => {
        await inner.insert('t', { name: 'b' })
        throw new Error('undo')
      })
      .catch(() => {})
    await tx.commit()
    expect(await names()).toEqual(['a'])
  })

  it('is refused inside a transaction, which it would wait for', async () => {
    const { worker } = await withNames()
    await worker.transaction(async () => {
      await expect(worker.beginTransaction()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_NESTED' })
    })
  })

  it('is rolled back after its timeout, which its commit tells with the cause', async () => {
    const { worker, names } = await withNames({ onUnobservedError: () => {} })
    const tx = await worker.beginTransaction({ timeoutMs: 20 })
    await tx.insert('t', { name: 'lost' })
    await worker.insert('t', { name: 'a' }) // waits for the end of it
    await expect(tx.commit()).rejects.toMatchObject({
      code: 'ERR_TRANSACTION_TIMEOUT',
      message: expect.stringContaining('idle while other calls wait') as string,
    })
    await expect(tx.insert('t', { name: 'b' })).rejects.toMatchObject(ended)
    await tx.rollback()
    expect(await names()).toEqual(['a'])
  })

  it('does not blame others where nobody waits', async () => {
    const { worker } = await withNames()
    const failed = worker.transaction(() => new Promise(() => {}), { timeoutMs: 20 })
    await expect(failed).rejects.toThrow(
      /^The transaction was rolled back: it had not ended 20 ms after it got the writer$/,
    )
  })

  it("uses the worker's transactionTimeoutMs", async () => {
    const { worker } = await withNames({ transactionTimeoutMs: 20, onUnobservedError: () => {} })
    const tx = await worker.beginTransaction()
    await worker.insert('t', { name: 'a' })
    await expect(tx.commit()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_TIMEOUT' })
  })
})

describe('a transaction that waits', () => {
  it('for longer than maxWaitMs rejects, and does not run later', async () => {
    const { worker, names } = await withNames()
    const tx = await worker.beginTransaction()
    let ran = false
    const waiting = worker.transaction(() => (ran = true), { maxWaitMs: 10 })
    const manual = worker.beginTransaction({ maxWaitMs: 10 })
    const both = Promise.allSettled([manual, waiting])
    await expect(manual).rejects.toMatchObject({ code: 'ERR_TRANSACTION_WAIT' })
    await both
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_TRANSACTION_WAIT' })
    await tx.insert('t', { name: 'a' })
    await tx.commit()
    expect([ran, await names()]).toEqual([false, ['a']])
  })

  it('within maxWaitMs is not limited by it once it runs', async () => {
    const { worker, names } = await withNames()
    await worker.transaction(
      async (tx) => {
        await tx.insert('t', { name: 'a' })
        await new Promise((resolve) => setTimeout(resolve, 20))
        await tx.insert('t', { name: 'b' })
      },
      { maxWaitMs: 15 },
    )
    expect(await names()).toEqual(['a', 'b'])
  })

  it('is given up by its signal, and those behind it go on', async () => {
    const { worker, names } = await withNames()
    const tx = await worker.beginTransaction()
    const controller = new AbortController()
    const waiting = worker.transaction(() => 1, { signal: controller.signal })
    const manual = worker.beginTransaction({ signal: controller.signal })
    const behind = worker.insert('t', { name: 'behind' })
    controller.abort(new Error('changed my mind'))
    const given = { code: 'ERR_ABORTED', maybeCommitted: false, cause: { message: 'changed my mind' } }
    expect(await Promise.allSettled([waiting, manual])).toMatchObject([{ reason: given }, { reason: given }])
    await expect(worker.transaction(() => 1, { signal: controller.signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    })
    await tx.commit()
    await behind
    expect(await names()).toEqual(['behind'])
  })
})

describe('a transaction that runs', () => {
  it('is rolled back by its signal, also with statements under way', async () => {
    const { worker, names } = await withNames()
    const controller = new AbortController()
    const hold = gate()
    let late: Promise<unknown> | undefined
    const failed = worker.transaction(
      async (tx) => {
        await tx.insert('t', { name: 'a' })
        void tx.insert('t', { name: 'b' })
        queueMicrotask(() => controller.abort())
        late = hold.opened.then(() => tx.insert('t', { name: 'late' }))
        await late
      },
      { signal: controller.signal },
    )
    await expect(failed).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    hold.open()
    await expect(late).rejects.toMatchObject(ended)
    expect(await names()).toEqual([])
  })

  it('is rolled back by its signal while the thread is busy', async () => {
    const { worker, names } = await withNames()
    const controller = new AbortController()
    const tx = await worker.beginTransaction({ signal: controller.signal })
    await tx.insert('t', { name: 'a' })
    const block = await blockWriter(tx as never)
    const behind = tx.insert('t', { name: 'b' }).catch(() => {})
    controller.abort()
    await expect(tx.commit()).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await block.release()
    await behind
    expect(await names()).toEqual([])
    expect(worker.queueSize).toBe(0)
  })

  it('is not undone by a signal that fires after its end', async () => {
    const { worker, names } = await withNames()
    const controller = new AbortController()
    await worker.transaction((tx) => tx.insert('t', { name: 'a' }), { signal: controller.signal })
    const tx = await worker.beginTransaction({ signal: controller.signal })
    await tx.insert('t', { name: 'b' })
    await tx.commit()
    controller.abort()
    expect(await names()).toEqual(['a', 'b'])
  })
})

describe('a lock that another connection holds', () => {
  it('is waited for', async () => {
    const { worker, names, other } = await withNames()
    other.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES ('other')")
    const waiting = worker.transaction((tx) => tx.insert('t', { name: 'a' }))
    expect(await worker.execute('SELECT name FROM t', [], { consistency: 'eager' })).toEqual([])
    other.exec('COMMIT')
    await waiting
    expect(await names()).toEqual(['other', 'a'])
  })

  it('rejects after busyTimeoutMs, unless the transaction is to be run again', async () => {
    const { worker, names, other } = await withNames({ busyTimeoutMs: 20 })
    other.exec('BEGIN IMMEDIATE')
    await expect(worker.transaction((tx) => tx.insert('t', { name: 'a' }))).rejects.toMatchObject({
      sqliteCode: 'SQLITE_BUSY',
    })
    await expect(worker.insert('t', { name: 'a' })).rejects.toMatchObject({ sqliteCode: 'SQLITE_BUSY' })
    let runs = 0
    await worker.transaction(
      async (tx) => {
        runs += 1
        if (runs === 3) other.exec('COMMIT')
        await tx.insert('t', { name: `run ${runs}` })
      },
      { retry: { busy: 5 } },
    )
    expect(await names()).toEqual(['run 3'])
  })

  it('is tried again as often as told, and other failures are not', async () => {
    const { worker, other } = await withNames({ busyTimeoutMs: 0 })
    let runs = 0
    const attempt = (): Promise<unknown> =>
      worker.transaction((tx) => (runs++, tx.insert('t', { name: 'a' })), { retry: { busy: 2 } })
    other.exec('BEGIN IMMEDIATE')
    await expect(attempt()).rejects.toMatchObject({ sqliteCode: 'SQLITE_BUSY' })
    expect(runs).toBe(3)
    other.exec('COMMIT')
    await attempt()
    await expect(attempt()).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' })
    expect(runs).toBe(5)
  })

  it('in a deferred transaction that read before the other wrote makes it run again on what is there now', async () => {
    const { worker, names, other } = await withNames()
    const seen: number[] = []
    await worker.transaction(
      async (tx) => {
        seen.push((await tx.select('t')).length)
        if (seen.length === 1) other.exec("INSERT INTO t VALUES ('other')")
        await tx.insert('t', { name: 'a' })
      },
      { mode: 'deferred', retry: { busy: 3 } },
    )
    expect(seen).toEqual([0, 1])
    expect(await names()).toEqual(['other', 'a'])
  })
})

describe('options of a transaction', () => {
  it.each([
    { mode: 'fast' },
    { timeoutMs: 0 },
    { maxWaitMs: -1 },
    { retry: 3 },
    { retry: { busy: 1.5 } },
    { signal: {} },
    { timeout: 5 },
  ])('are refused where they do not fit: %j', async (options) => {
    const { worker } = await withNames()
    await expect(worker.transaction(() => 1, options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    })
    await expect(worker.beginTransaction(options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    })
  })

  it('include a time for a nested one, which undoes it alone', async () => {
    const { worker, names } = await withNames()
    await worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'outer' })
      const nested = worker.transaction(
        async (inner) => {
          await inner.insert('t', { name: 'inner' })
          await new Promise(() => {})
        },
        { timeoutMs: 20 },
      )
      await expect(nested).rejects.toMatchObject({ code: 'ERR_TRANSACTION_TIMEOUT' })
      await tx.insert('t', { name: 'after' })
    })
    expect(await names()).toEqual(['outer', 'after'])
  })
})
