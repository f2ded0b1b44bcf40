import { eventually } from '@outrider/test-kit'
import { describe, expect, it } from 'vitest'
import type { SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { killWriter } from '../src/testing/index.ts'
import { openWorker } from './fixture.ts'
import { COUNT_UP } from './fixtures/sql.ts'

const LONG = 3_000_000

/** A worker whose one reader is up. */
async function withReader(options: SqliteWorkerOptions = {}): Promise<SqliteWorker> {
  const worker = openWorker({ readers: 1, ...options })
  await worker.execute('CREATE TABLE t (n)')
  await worker.execute('SELECT 1')
  return worker
}

const underWay = (worker: SqliteWorker, count: number): Promise<void> =>
  eventually(() => expect(worker.stats().readers.underWay).toBe(count))

describe('a read that is given up', () => {
  it('and known to be slow lets those behind it run', async () => {
    const worker = await withReader()
    for (let i = 0; i < 2; i++) await worker.execute(COUNT_UP, [500_000])
    const controller = new AbortController()
    const running = worker.execute(COUNT_UP, [500_000])
    const slow = worker.execute(COUNT_UP, [500_000], { signal: controller.signal })
    const behind = worker.execute('SELECT 2 AS n')
    await underWay(worker, 1)
    controller.abort()
    await expect(slow).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await behind).toEqual([{ n: 2 }])
    expect(await running).toEqual([{ n: 500_000 }])
  })

  it('within a native call leaves each row of the others once', async () => {
    const worker = await withReader()
    const rows = 4000
    const large = `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ${rows})
      SELECT i, (WITH RECURSIVE d(j) AS (SELECT c.i UNION ALL SELECT j + 1 FROM d WHERE j < c.i + 500) SELECT COUNT(*) FROM d) FROM c`
    const controller = new AbortController()
    const stuck = worker.execute(COUNT_UP, [LONG], { signal: controller.signal })
    const other = worker.execute<{ i: number }>(large) // in the same message
    await underWay(worker, 2)
    controller.abort()
    await expect(stuck).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect((await other).map(({ i }) => i)).toEqual(Array.from({ length: rows }, (_, i) => i + 1))
  })

  it.each([
    ['the worker is closed', (worker: SqliteWorker) => worker.close({ timeoutMs: 50 })],
    ['the writer dies for good', (worker: SqliteWorker) => killWriter(worker)],
  ])('within a native call does not leave the others without an answer when %s', async (_, end) => {
    const worker = await withReader({ autoReconnect: false })
    const controller = new AbortController()
    const stuck = worker.execute(COUNT_UP, [LONG], { signal: controller.signal })
    const other = worker.execute('SELECT 2')
    await underWay(worker, 2)
    controller.abort()
    await expect(stuck).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    const outcome = other.then(
      (rows) => rows,
      (error: unknown) => (error as { code: string }).code,
    )
    await end(worker)
    // it depends on the moment whether another thread had it already
    expect([[{ 2: 2 }], 'ERR_WORKER_DIED', 'ERR_CLOSED']).toContainEqual(await outcome)
    await worker.close({ timeoutMs: 50 })
    expect(worker.queueSize).toBe(0)
  })
})
