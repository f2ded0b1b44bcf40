import { spawnChild, type TestChild } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import type { SqliteWorker } from '../../src/index.ts'
import { openWorker, temporaryFile } from '../fixture.ts'
import { Random } from './random.ts'
import { seedOf, sized } from './size.ts'

const holder = new URL('../fixtures/fault-lock.ts', import.meta.url)

async function hold(file: string, ...args: string[]): Promise<TestChild> {
  const child = spawnChild(holder, { args: [file, ...args] })
  await child.waitFor('locked')
  return child
}

async function openTable(
  busyTimeoutMs: number,
  maxCount = 512,
): Promise<{ worker: SqliteWorker; file: string }> {
  const file = temporaryFile()
  const worker = openWorker({ file, busyTimeoutMs, maxCount })
  await worker.execute('CREATE TABLE t (n INT)')
  return { worker, file }
}

/** What is in the file, by another connection. */
function rowsOf(file: string): number[] {
  const db = new Database(file)
  try {
    return db.prepare<[], number>('SELECT n FROM t ORDER BY n').pluck().all()
  } finally {
    db.close()
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

const inTransaction = (worker: SqliteWorker, rows: readonly number[]): Promise<void> =>
  worker.transaction(async (tx) => {
    for (const n of rows) await tx.insert('t', { n })
  })

describe('while another process holds the write lock', () => {
  it.each(['IMMEDIATE', 'EXCLUSIVE'])(
    'of BEGIN %s, writes wait for its end and none is lost',
    async (mode) => {
      const { worker, file } = await openTable(60_000)
      await using other = await hold(file, mode)
      const settled: number[] = []
      const writes = [
        ...range(0, 1000).map((n) => worker.insert('t', { n }).then(() => settled.push(n))),
        inTransaction(worker, range(1000, 1010)),
        worker.insert(
          't',
          range(1010, 1020).map((n) => ({ n })),
        ),
      ]
      await new Promise((resolve) => setTimeout(resolve, 100)) // how long the lock is held
      expect(settled).toEqual([])
      other.kill('SIGTERM')
      await Promise.all(writes)
      expect(settled).toEqual(range(0, 1000))
      expect(rowsOf(file)).toEqual(range(0, 1020))
    },
  )

  it('and is killed, writes go on', async () => {
    const { worker, file } = await openTable(60_000)
    await using other = await hold(file)
    const writes = Promise.all(range(0, 100).map((n) => worker.insert('t', { n })))
    other.kill('SIGKILL')
    await writes
    expect(rowsOf(file)).toEqual(range(0, 100))
  })

  it('beyond busyTimeoutMs, each write and each transaction is rejected once, and none of it appears later', async () => {
    const { worker, file } = await openTable(50)
    await using other = await hold(file)
    const outcomes = await Promise.allSettled([
      ...range(0, 1000).map((n) => worker.insert('t', { n })),
      inTransaction(worker, range(1000, 1010)),
      worker.execute('CREATE TABLE u (n INT)'),
    ])
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { sqliteCode: 'SQLITE_BUSY' } })
    }
    other.kill('SIGTERM')
    await other.exited
    await worker.insert('t', { n: 2000 })
    expect(rowsOf(file)).toEqual([2000])
  })

  it('the waits of writes that were queued together do not add up', async () => {
    const busyTimeoutMs = 500
    const { worker, file } = await openTable(busyTimeoutMs, 5)
    await using other = await hold(file)
    const began = performance.now()
    const outcomes = await Promise.allSettled(range(0, 100).map((n) => worker.insert('t', { n })))
    const groups = 100 / 5
    // one wait for all; half of what one wait for each group would take tells the two apart at any load
    expect(performance.now() - began).toBeLessThan((groups * busyTimeoutMs) / 2)
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(rowsOf(file)).toEqual([])
    other.kill('SIGTERM')
  })

  it('reads go on', async () => {
    const { worker, file } = await openTable(60_000)
    await worker.insert('t', { n: 1 })
    await using other = await hold(file)
    expect(await worker.select('t')).toEqual([{ n: 1 }]) // a causal read, with no write before it
    let isWritten = false
    const write = worker.insert('t', { n: 2 }).then(() => (isWritten = true))
    for (let i = 0; i < 20; i++) {
      const rows = await worker.execute('SELECT n FROM t', [], { consistency: 'eager' })
      expect(rows).toEqual([{ n: 1 }])
    }
    expect(isWritten).toBe(false)
    other.kill('SIGTERM')
    await write
    expect(await worker.select('t')).toEqual([{ n: 1 }, { n: 2 }])
  })
})

it(
  'under a lock that comes and goes, what resolved is there once and what was rejected is not',
  {
    timeout: 180_000,
  },
  async () => {
    const random = new Random(seedOf('lock'))
    const { worker, file } = await openTable(30, 20)
    await using other = await hold(file, 'IMMEDIATE', String(random.below(2 ** 31)))
    const acknowledged: number[] = []
    const counts = { refused: 0 }
    const total = sized(2000, 60_000)
    const isBusy = (error: unknown): void => {
      expect(error).toMatchObject({ sqliteCode: 'SQLITE_BUSY' })
      counts.refused += 1
    }
    for (let n = 0; n < total || counts.refused === 0;) {
      const rows = range(n, n + 1 + random.below(60))
      n += rows.length
      const writes = random.chance(0.3)
        ? [inTransaction(worker, rows).then(() => acknowledged.push(...rows))]
        : rows.map((row) => worker.insert('t', { n: row }).then(() => acknowledged.push(row)))
      const all = Promise.all(writes.map((write) => write.catch(isBusy)))
      if (random.chance(0.7)) await all
    }
    await worker.execute('PRAGMA user_version') // all before it are settled
    other.kill('SIGTERM')
    expect(await other.exited).toMatchObject({ code: 0, stderr: '' })
    await worker.close()
    process.stderr.write(`lock: ${acknowledged.length} rows acknowledged, ${counts.refused} writes refused\n`)
    expect(rowsOf(file)).toEqual(acknowledged.toSorted((a, b) => a - b))
  },
)
