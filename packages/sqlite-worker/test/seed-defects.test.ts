import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Token } from '../src/index.ts'
import { killWriter } from '../src/testing/index.ts'
import { gate, openWorker, temporaryFile } from './fixture.ts'
import { NaiveWorker, type DefectClient } from './fixtures/fault-naive.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function ours(file: string): DefectClient {
  const worker = openWorker({ file, retryDelay: 0.001 })
  return {
    execute: (sql, params) => worker.execute(sql, params),
    fetch: (token) => worker.fetchResults(token as Token<unknown>),
    transaction: (fn) => worker.transaction(fn),
    kill: () => killWriter(worker),
    close: () => worker.close(),
  }
}

function naive(file: string): DefectClient {
  const worker = new NaiveWorker(file)
  onTestFinished(() => worker.close())
  return worker
}

interface Trial {
  readonly client: DefectClient
  readonly file: string
  /** Fails for what does not settle in a time that is long for whom it is given. */
  readonly settles: <T>(promise: Promise<T>) => Promise<T>
}

interface Defect {
  readonly title: string
  /** How it shows in the message of a failed check. */
  readonly symptom: RegExp
  /** Rejects when the client has the defect. */
  readonly check: (trial: Trial) => Promise<void>
}

const run = (client: DefectClient, sql: string, params?: (string | number)[]): Promise<unknown> =>
  client.fetch(client.execute(sql, params))

function fileWithTable(): string {
  const file = temporaryFile()
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE t (n INT)')
  db.close()
  return file
}

function rowsByAnother(file: string): unknown[] {
  const db = new Database(file)
  try {
    return db.prepare('SELECT n FROM t ORDER BY n').pluck().all()
  } finally {
    db.close()
  }
}

const undo = new Error('undo')
const swallow = (error: unknown): void => expect(error).toBe(undo)

const defects: Defect[] = [
  {
    title: "an insert acknowledged to another caller is lost by one's rollback",
    symptom: /expected \[\] to deeply equal \[ 2 \]/,
    async check({ client, file }) {
      const [begun, done] = [gate(), gate()]
      const failed = client.transaction(async () => {
        await run(client, 'INSERT INTO t VALUES (1)')
        begun.open()
        await done.opened
        throw undo
      })
      await begun.opened
      const other = run(client, 'INSERT INTO t VALUES (2)')
      await Promise.race([other, sleep(50)])
      done.open()
      await failed.catch(swallow)
      await other
      expect(rowsByAnother(file)).toEqual([2])
    },
  },
  {
    title: 'rows that were there before are undone by a rollback',
    symptom: /expected \[\] to deeply equal \[ 1 \]/,
    async check({ client, file }) {
      await run(client, 'INSERT INTO t VALUES (1)')
      await client.transaction(() => Promise.reject(undo)).catch(swallow)
      expect(rowsByAnother(file)).toEqual([1])
    },
  },
  {
    title: 'an error resolves, as a value',
    symptom: /resolved .* instead of rejecting/,
    async check({ client }) {
      await expect(run(client, 'nonsense')).rejects.toThrow('syntax error')
    },
  },
  {
    title: 'results that nobody fetches are kept for ever',
    symptom: /to be less than/,
    async check({ client }) {
      const held = (): number => {
        collectGarbage()
        return process.memoryUsage().heapUsed
      }
      const rows =
        'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) SELECT i, hex(i) FROM c'
      await run(client, rows)
      const before = held()
      for (let i = 0; i < 200; i++) client.execute(rows)
      await run(client, 'SELECT 1')
      await sleep(0)
      expect(held() - before).toBeLessThan(5 * 2 ** 20)
    },
  },
  {
    title: 'whoever asks after the wake-up waits for ever',
    symptom: /does not settle/,
    async check({ client, settles }) {
      const token = client.execute('SELECT 1 AS one')
      await settles(run(client, 'SELECT 2'))
      expect(await settles(client.fetch(token))).toEqual([{ one: 1 }])
      expect(await settles(client.fetch(token))).toEqual([{ one: 1 }]) // and again
    },
  },
  {
    title: 'a thread that dies leaves every caller waiting',
    symptom: /does not settle/,
    async check({ client, settles }) {
      const calls = Array.from({ length: 5000 }, (_, n) => run(client, 'INSERT INTO t VALUES (?)', [n]))
      await client.kill()
      const outcomes = await settles(Promise.allSettled(calls))
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_WORKER_DIED' })
      }
      expect(await settles(run(client, 'SELECT 1 AS one'))).toEqual([{ one: 1 }])
    },
  },
  {
    title: 'a lock of another process is not waited for',
    symptom: /SQLITE_BUSY/,
    async check({ client, file }) {
      await run(client, 'SELECT 1') // the thread runs
      const other = new Database(file)
      other.exec('BEGIN IMMEDIATE')
      const write = run(client, 'INSERT INTO t VALUES (1)')
      await Promise.race([write, sleep(100)])
      other.exec('COMMIT')
      other.close()
      expect(await write).toMatchObject({ changes: 1 })
      expect(rowsByAnother(file)).toEqual([1])
    },
  },
  {
    title: 'a write is acknowledged before its COMMIT',
    symptom: /expected \[\] to include 1/,
    async check({ client, file }) {
      const writes = [1, 2, 3].map((n) => run(client, 'INSERT INTO t VALUES (?)', [n]))
      await writes[0]
      expect(rowsByAnother(file)).toContain(1)
      await Promise.all(writes)
      expect(rowsByAnother(file)).toEqual([1, 2, 3])
    },
  },
]

function settlesWithin(ms: number): Trial['settles'] {
  return (promise) =>
    Promise.race([
      promise,
      sleep(ms, undefined, { ref: false }).then(() => {
        throw new Error('It does not settle')
      }),
    ])
}

describe.each(defects)('defect of the seed: $title', ({ check, symptom }) => {
  it('is not here', async () => {
    const file = fileWithTable()
    await check({ client: ours(file), file, settles: settlesWithin(15_000) })
  })

  it('is found where it is', async () => {
    const file = fileWithTable()
    await expect(check({ client: naive(file), file, settles: settlesWithin(1000) })).rejects.toThrow(symptom)
  })
})
