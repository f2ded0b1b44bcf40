import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { SqliteWorker } from '../src/index.ts'
import { openWorker, temporaryFile, workerUrl } from './fixture.ts'

describe('close', () => {
  // better-sqlite3 aborts the process when its thread is terminated while it throws
  it.each(['a lock is waited for', 'statements fail'])(
    'does no harm to the process while %s',
    async (what) => {
      const file = temporaryFile()
      const db = new Database(file)
      db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n UNIQUE); INSERT INTO t VALUES (1)')
      if (what === 'a lock is waited for') db.exec('BEGIN IMMEDIATE')
      for (let i = 0; i < 6; i++) {
        const worker = openWorker({ file, onUnobservedError: () => {} })
        void Promise.allSettled(Array.from({ length: 2000 }, () => worker.insert('t', { n: 1 })))
        await worker.execute('SELECT 1', [], { consistency: 'eager' })
        await sleep(10 * i)
        await worker.close({ drain: false, timeoutMs: 5 })
      }
      db.close()
    },
  )

  it('ends though a module of procedures keeps its thread running', async () => {
    const worker = openWorker()
    const { one } = worker.procedures<{ one(db: unknown): number }>(
      new URL('fixtures/keeps-running.mjs', import.meta.url),
    )
    expect(await one()).toBe(1)
    await worker.close()
  })

  it('ends though a stream waits for a file that cannot be opened', async () => {
    const worker = new SqliteWorker('/nonexistent/test.db', { workerUrl: workerUrl() })
    const row = worker.stream('SELECT 1').next()
    const closed = worker.close()
    await expect(row).rejects.toMatchObject({ code: 'ERR_OPEN' })
    await closed
  })
})
