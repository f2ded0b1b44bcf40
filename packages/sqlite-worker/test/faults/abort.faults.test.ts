import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { isSqliteWorkerError, type SqliteWorker } from '../../src/index.ts'
import { gate, openWorker } from '../fixture.ts'
import { Random } from './random.ts'
import { seedOf, sized } from './size.ts'

const COUNT_LONG = `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1e9) SELECT COUNT(*) FROM c`
const ROWS_LONG = `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1e8) SELECT i FROM c`

async function openTable(): Promise<SqliteWorker> {
  const worker = openWorker()
  await worker.execute('CREATE TABLE t (n INT)')
  return worker
}

const aborted = { code: 'ERR_ABORTED' }

describe('a signal', () => {
  it('that is aborted already keeps the operation from running', async () => {
    const worker = await openTable()
    const signal = AbortSignal.abort(new Error('given up'))
    const call = worker.execute('INSERT INTO t VALUES (1)', [], { signal })
    await expect(call).rejects.toMatchObject({
      ...aborted,
      maybeCommitted: false,
      cause: { message: 'given up' },
    })
    expect(await worker.select('t')).toEqual([])
  })

  it('takes an operation out of the queue, and leaves its neighbours alone', async () => {
    const worker = await openTable()
    const hold = gate()
    const holder = worker.transaction(() => hold.opened)
    const controllers = Array.from({ length: 3000 }, () => new AbortController())
    const calls = controllers.map(({ signal }, n) =>
      worker.execute('INSERT INTO t VALUES (?)', [n], { signal }),
    )
    for (const [n, controller] of controllers.entries()) if (n % 3 !== 0) controller.abort()
    const outcomes = Promise.allSettled(calls)
    hold.open()
    await holder
    for (const [n, outcome] of (await outcomes).entries()) {
      if (n % 3 === 0) expect(outcome.status).toBe('fulfilled')
      else expect(outcome).toMatchObject({ reason: { ...aborted, maybeCommitted: false } })
    }
    expect(await worker.execute('SELECT COUNT(*) AS count, SUM(n % 3) AS others FROM t')).toEqual([
      { count: 1000, others: 0 },
    ])
  })

  it('gives up a read that runs for long, and later reads run', async () => {
    const worker = await openTable()
    for (const sql of [COUNT_LONG, ROWS_LONG]) {
      const controller = new AbortController()
      const call = worker.execute(sql, [], { signal: controller.signal })
      const outcome = call.then(
        () => 'rows',
        (error: unknown) => error,
      )
      await worker.insert('t', { n: 1 }) // it runs by then, beside
      controller.abort()
      expect(await outcome).toMatchObject({ ...aborted, maybeCommitted: false })
      expect(await worker.execute('SELECT 1 AS one')).toEqual([{ one: 1 }])
    }
  }, 60_000)

  it('ends a stream at once', async () => {
    const worker = await openTable()
    const controller = new AbortController()
    let taken = 0
    const consume = async (): Promise<void> => {
      for await (const row of worker.stream(ROWS_LONG, [], { signal: controller.signal })) {
        expect(row).toEqual({ i: ++taken })
        if (taken === 5000) controller.abort()
      }
    }
    await expect(consume()).rejects.toMatchObject(aborted)
    expect(taken).toBe(5000)
    await worker.insert('t', { n: 1 })
    expect(await worker.select('t')).toEqual([{ n: 1 }])
  })

  it('inside a transaction undoes it like any failure that is not handled', async () => {
    const worker = await openTable()
    const controller = new AbortController()
    const failed = worker.transaction(async (tx) => {
      await tx.insert('t', { n: 1 })
      const call = tx.execute('INSERT INTO t VALUES (2)', [], { signal: controller.signal })
      controller.abort()
      await call
    })
    await expect(failed).rejects.toMatchObject(aborted)
    expect(await worker.select('t')).toEqual([])
  })

  it('is let go of when the operation is done', async () => {
    const worker = await openTable()
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => ((listeners += 1), add(...args)),
      removeEventListener: (...args: Parameters<typeof remove>) => ((listeners -= 1), remove(...args)),
    })
    await Promise.all(
      Array.from({ length: 1000 }, (_, n) => worker.execute('INSERT INTO t VALUES (?)', [n], { signal })),
    )
    await Promise.all(Array.from({ length: 1000 }, () => worker.execute('SELECT 1', [], { signal })))
    expect(listeners).toBe(0)
  })
})

it(
  'a storm of aborts: each call settles once, what resolved is there, what was taken from the queue is not',
  {
    timeout: 180_000,
  },
  async () => {
    const random = new Random(seedOf('abort storm'))
    const worker = await openTable()
    await worker.execute('CREATE INDEX t_n ON t (n)')
    const total = sized(5000, 300_000)
    const settlements = new Uint8Array(total)
    const acknowledged: number[] = []
    const never: number[] = []
    const counts = { resolved: 0, queued: 0, underWay: 0, reads: 0 }
    const controllers = new Set<AbortController>()
    let last = 0

    const settle = async (n: number, call: PromiseLike<unknown>, isRead: boolean): Promise<void> => {
      try {
        await call
        counts.resolved += 1
        if (!isRead) acknowledged.push(n)
      } catch (error) {
        expect(error).toMatchObject(aborted)
        if (!isSqliteWorkerError(error) || !('maybeCommitted' in error)) throw error
        if (isRead) counts.reads += 1
        else if (error.maybeCommitted) counts.underWay += 1
        else counts.queued += 1
        if (!isRead && !error.maybeCommitted) never.push(n)
      }
      settlements[n] = (settlements[n] ?? 0) + 1
    }
    const call = (): Promise<void> => {
      const n = last++
      const controller = new AbortController()
      const { signal } = controller
      if (random.chance(0.7)) controllers.add(controller)
      const kind = random.below(10)
      const done =
        kind < 6
          ? settle(n, worker.execute('INSERT INTO t VALUES (?)', [n], { signal }), false)
          : kind < 8
            ? settle(n, worker.execute('SELECT COUNT(*) FROM t WHERE n = ?', [n], { signal }), true)
            : kind < 9
              ? settle(n, worker.batch([{ sql: 'INSERT INTO t VALUES (?)', params: [n] }], { signal }), false)
              : settle(
                  n,
                  worker.transaction((tx) => tx.insert('t', { n }), { signal }),
                  false,
                )
      return done.finally(() => controllers.delete(controller))
    }
    const isMore = (): boolean => last < total
    while (isMore()) {
      const calls = Array.from({ length: Math.min(total - last, 1 + random.below(3000)) }, call)
      const all = Promise.all(calls)
      for (let rounds = random.below(6); rounds >= 0; rounds--) {
        for (let turns = random.below(3); turns > 0; turns--) await turn()
        for (const controller of controllers) if (random.chance(0.3)) controller.abort()
      }
      if (random.chance(0.5)) await all
    }
    while (controllers.size > 0) await turn()
    await worker.execute('PRAGMA user_version')
    await turn()

    expect(settlements.every((times) => times === 1)).toBe(true)
    const rows = await worker.execute<{ n: number }>('SELECT n FROM t')
    const there = new Set(rows.map(({ n }) => n))
    expect(rows.length).toBe(there.size)
    expect({ lost: acknowledged.filter((n) => !there.has(n)) }).toEqual({ lost: [] })
    expect({ kept: never.filter((n) => there.has(n)) }).toEqual({ kept: [] })
    expect(worker.queueSize).toBe(0)
    process.stderr.write(`abort storm: ${JSON.stringify(counts)}\n`)
    for (const count of [counts.resolved, counts.queued, counts.reads]) expect(count).toBeGreaterThan(0)
  },
)
