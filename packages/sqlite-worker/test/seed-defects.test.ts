import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { eventually } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { gate, temporaryFile } from './fixture.ts'
import {
  naive,
  ours,
  type DefectClient,
  type DefectQueue,
  type Implementation,
} from './fixtures/fault-client.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

interface Trial {
  readonly client: DefectClient
  readonly file: string
  readonly openQueue: () => Promise<DefectQueue>
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

/** By how many bytes the heap grows with an act, all garbage collected. */
async function growth(act: () => Promise<unknown>): Promise<number> {
  const held = (): number => {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const before = held()
  await act()
  await turn()
  return held() - before
}
const MEBIBYTE = 2 ** 20

const defects: Defect[] = [
  {
    title: "another caller's acknowledged insert lost by my rollback",
    symptom: /expected \[\] to deeply equal \[ 2 \]/,
    async check({ client, file }) {
      const [begun, done] = [gate(), gate()]
      const failed = client.transaction(async () => {
        await client.run('INSERT INTO t VALUES (1)')
        begun.open()
        await done.opened
        throw undo
      })
      await begun.opened
      const other = client.run('INSERT INTO t VALUES (2)')
      await Promise.race([other, sleep(50)])
      done.open()
      await failed.catch(swallow)
      await other
      expect(rowsByAnother(file)).toEqual([2])
    },
  },
  {
    title: 'earlier unrelated rows undone by a rollback',
    symptom: /expected \[\] to deeply equal \[ 1 \]/,
    async check({ client, file }) {
      await client.run('INSERT INTO t VALUES (1)')
      await client.transaction(() => Promise.reject(undo)).catch(swallow)
      expect(rowsByAnother(file)).toEqual([1])
    },
  },
  {
    title: 'errors as values',
    symptom: /resolved .* instead of rejecting/,
    async check({ client }) {
      await expect(client.run('nonsense')).rejects.toThrow('syntax error')
    },
  },
  {
    title: 'leaked results',
    symptom: /to be less than/,
    async check({ client }) {
      const rows =
        'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) SELECT i, hex(i) FROM c'
      await client.run(rows)
      const bytes = await growth(async () => {
        for (let i = 0; i < 200; i++) client.execute(rows)
        await client.run('SELECT 1')
      })
      expect(bytes).toBeLessThan(5 * MEBIBYTE)
    },
  },
  {
    title: 'leaked events',
    symptom: /to be less than/,
    async check({ client }) {
      await client.run('SELECT 1')
      const bytes = await growth(async () => {
        for (let i = 0; i < 50_000; i++) client.execute('SELECT 1 WHERE 0')
        await client.run('SELECT 1')
      })
      expect(bytes).toBeLessThan(5 * MEBIBYTE)
    },
  },
  {
    title: 'a broken migration recorded as applied',
    symptom: /expected \[ '001' \] to deeply equal \[\]/,
    async check({ client }) {
      const outcome = await client
        .applyMigration('001', 'CREATE TABLE half (n INT); INSERT INTO nowhere VALUES (1)')
        .catch((error: unknown) => error)
      expect(await client.appliedVersions()).toEqual([])
      expect(outcome).toMatchObject({ code: 'ERR_MIGRATION_FAILED' })
      expect(await client.run("SELECT * FROM sqlite_schema WHERE name = 'half'")).toEqual([])
    },
  },
  {
    title: '; inside a literal splits a migration',
    symptom: /expected \[\] to deeply equal \[ \{ text: 'a; b' \} \]/,
    async check({ client }) {
      await client.applyMigration('001', "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('a; b')")
      expect(await client.run('SELECT text FROM notes')).toEqual([{ text: 'a; b' }])
    },
  },
  {
    title: '; inside a trigger splits a migration',
    symptom: /expected \[\] to deeply equal \[ \{ n: 1 \}, \{ n: 2 \} \]/,
    async check({ client }) {
      const trigger = `CREATE TRIGGER note AFTER INSERT ON t BEGIN
        INSERT INTO notes VALUES (new.n); INSERT INTO notes VALUES (new.n + 1); END`
      await client.applyMigration('001', `CREATE TABLE notes (n INT); ${trigger}`)
      await client.run('INSERT INTO t VALUES (1)')
      expect(await client.run('SELECT n FROM notes ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }])
    },
  },
  {
    title: 'lost wake-up hangs forever',
    symptom: /does not settle/,
    async check({ client, settles }) {
      const token = client.execute('SELECT 1 AS one')
      await settles(client.run('SELECT 2'))
      expect(await settles(client.fetch(token))).toEqual([{ one: 1 }])
      expect(await settles(client.fetch(token))).toEqual([{ one: 1 }]) // and again
    },
  },
  {
    title: 'a dead worker hangs every caller',
    symptom: /does not settle/,
    async check({ client, settles }) {
      const calls = Array.from({ length: 5000 }, (_, n) => client.run('INSERT INTO t VALUES (?)', [n]))
      await client.kill()
      const outcomes = await settles(Promise.allSettled(calls))
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_WORKER_DIED' })
      }
      expect(await settles(client.run('SELECT 1 AS one'))).toEqual([{ one: 1 }])
    },
  },
  {
    title: 'lock retry that never runs',
    symptom: /SQLITE_BUSY/,
    async check({ client, file }) {
      await client.run('SELECT 1') // the thread runs
      const other = new Database(file)
      other.exec('BEGIN IMMEDIATE')
      const write = client.run('INSERT INTO t VALUES (1)')
      await Promise.race([write, sleep(100)])
      other.exec('COMMIT')
      other.close()
      expect(await write).toMatchObject({ changes: 1 })
      expect(rowsByAnother(file)).toEqual([1])
    },
  },
  {
    title: 'acknowledged before COMMIT',
    symptom: /expected \[\] to include 1/,
    async check({ client, file }) {
      const writes = [1, 2, 3].map((n) => client.run('INSERT INTO t VALUES (?)', [n]))
      await writes[0]
      expect(rowsByAnother(file)).toContain(1)
      await Promise.all(writes)
      expect(rowsByAnother(file)).toEqual([1, 2, 3])
    },
  },
  {
    title: 'a queue hands one task to two workers',
    symptom: /expected \d+ to be \+?0/,
    async check({ openQueue }) {
      const [one, other] = [await openQueue(), await openQueue()]
      const tasks = Array.from({ length: 30 }, (_, n) => n)
      for (const n of tasks) await one.add(n)
      const runs: number[] = []
      for (const queue of [one, other]) void queue.work((n) => sleep(1).then(() => runs.push(n)), 60_000)
      await eventually(() => runs.length >= tasks.length)
      expect(runs.length - new Set(runs).size).toBe(0)
      expect(runs).toHaveLength(tasks.length)
    },
  },
  {
    title: 'a queue loses tasks of a dead worker',
    symptom: /does not settle/,
    async check({ openQueue, settles }) {
      const [dying, heir] = [await openQueue(), await openQueue()]
      await dying.add(1)
      const begun = gate()
      void dying.work(() => (begun.open(), new Promise(() => {})), 100)
      await begun.opened
      await dying.die()
      const inherited = new Promise<number>((resolve) => void heir.work(resolve, 1000))
      expect(await settles(inherited)).toBe(1)
    },
  },
  {
    title: 'a hook that queries deadlocks',
    symptom: /does not settle/,
    async check({ client, settles }) {
      const answer = new Promise((resolve) =>
        client.onInsert(async () => resolve(await client.run('SELECT n FROM t'))),
      )
      await settles(client.run('INSERT INTO t VALUES (1)'))
      expect(await settles(answer)).toEqual([{ n: 1 }])
    },
  },
  {
    title: 'hooks fire for rolled-back rows',
    symptom: /expected 1 to be \+?0/,
    async check({ client }) {
      let told = 0
      client.onInsert(() => (told += 1))
      const undone = client.transaction(async () => {
        await client.run('INSERT INTO t VALUES (1)')
        throw undo
      })
      await undone.catch(swallow)
      await client.run('SELECT 1')
      await turn()
      expect(told).toBe(0)
      await client.run('INSERT INTO t VALUES (2)')
      await eventually(() => expect(told).toBe(1))
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

function trial(implementation: Implementation, file: string, patienceMs: number): Trial {
  return {
    client: implementation.client(file),
    file,
    openQueue: () => implementation.queue(file),
    settles: settlesWithin(patienceMs),
  }
}

describe.each(defects)('defect of the seed: $title', ({ check, symptom }) => {
  it('is not here', async () => {
    const file = fileWithTable()
    await check(trial(ours, file, 15_000))
  })

  it('is found where it is', async () => {
    const file = fileWithTable()
    await expect(check(trial(naive, file, 1000))).rejects.toThrow(symptom)
  })
})
