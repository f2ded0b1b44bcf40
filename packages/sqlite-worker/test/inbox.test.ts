import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { Shared, type ToWorker } from '../src/protocol.ts'
import { Inbox } from '../src/worker/inbox.ts'
import { SharedState } from '../src/worker/shared.ts'
import { Random } from './faults/random.ts'
import { seedOf, sized } from './faults/size.ts'
import { openWorker, temporaryFile } from './fixture.ts'
import { blockWriter } from './fixtures/observe.ts'
import { ROWS } from './fixtures/sql.ts'

async function withTable(options: SqliteWorkerOptions = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (n INT)')
  return worker
}

const numbers = async (worker: SqliteWorker): Promise<number[]> =>
  (await worker.execute<{ n: number }>('SELECT n FROM t ORDER BY rowid')).map(({ n }) => n)

/** Keeps this thread busy, as a program does between two statements. */
function busyFor(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

interface Insert {
  insert(db: unknown, n: number): void
}

/** A module whose import takes a while, so that what is behind it has to wait. */
const slowModule = (name: number): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      await new Promise((resolve) => setTimeout(resolve, ${name % 3}))
      export const insert = (db, n) => void db.prepare('INSERT INTO t VALUES (?)').run(n) // ${name}`)}`,
  )

describe('messages that arrive at random moments', () => {
  it('are all answered, in order, whatever the gaps between them', { timeout: 120_000 }, async () => {
    const random = new Random(seedOf('inbox'))
    const worker = await withTable({ readers: 1 })
    const total = sized(4000, 60_000)
    const open: PromiseLike<unknown>[] = []
    const answered: number[] = []
    const copies: { path: string; atLeast: number }[] = []
    let next = 0
    let outside = 0 // all up to here was written outside of transactions, or before something that was

    const write = async (): Promise<void> => {
      const n = next++
      outside = next
      const kind = random.below(20)
      if (kind === 0) await worker.procedures<Insert>(slowModule(random.below(40))).insert(n)
      else if (kind === 1) await worker.batch([{ sql: 'INSERT INTO t VALUES (?)', params: [n] }])
      else await worker.insert('t', { n })
      answered.push(n)
    }
    const transaction = async (): Promise<void> => {
      const mine = upTo(1 + random.below(3)).map(() => next++)
      await worker.transaction(async (tx) => {
        for (const n of mine) {
          await tx.insert('t', { n })
          if (random.chance(0.3)) busyFor(random.next() * 0.4)
        }
      })
      answered.push(...mine)
    }
    const read = async (): Promise<void> => {
      const [all, atLeast] = [next, outside]
      const consistency = random.chance(0.5) ? 'writer' : 'causal'
      const [row] = await worker.execute<{ n: number }>('SELECT COUNT(*) AS n FROM t', [], { consistency })
      if (consistency === 'writer') expect(row).toEqual({ n: all })
      else expect(row?.n).toBeGreaterThanOrEqual(atLeast)
    }
    const copy = async (): Promise<void> => {
      const path = temporaryFile()
      copies.push({ path, atLeast: outside })
      await worker.backup(path)
    }

    const isMore = (): boolean => next < total
    while (isMore()) {
      const kind = random.below(100)
      const call = kind < 70 ? write() : kind < 80 ? transaction() : kind < 99 ? read() : copy()
      if (random.chance(0.6)) await call
      else open.push(call)
      if (random.chance(0.5)) busyFor(random.next() * 0.4)
      if (random.chance(0.1)) await turn()
      if (random.chance(0.01)) await pause(1)
    }
    await Promise.all(open)

    expect(await numbers(worker)).toEqual(upTo(next))
    expect(answered.toSorted((a, b) => a - b)).toEqual(upTo(next))
    expect(worker.queueSize).toBe(0)
    for (const { path, atLeast } of copies) {
      const db = new Database(path)
      const rows = db.prepare<[], number>('SELECT n FROM t ORDER BY rowid').pluck().all()
      db.close()
      expect(rows).toEqual(upTo(rows.length))
      expect(rows.length).toBeGreaterThanOrEqual(atLeast)
    }
  })

  it('are answered when nothing follows them', async () => {
    const worker = await withTable()
    for (let n = 0; n < 200; n++) {
      await worker.insert('t', { n })
      await worker.insert('t', { n })
      await pause(n % 4) // the thread may be looking, about to sleep, or asleep by now
    }
    expect(await numbers(worker)).toHaveLength(400)
  })
})

/** Sets the flags once the event loop of its thread has had a turn, and a timer. */
const TURNS = new URL(
  `data:text/javascript,${encodeURIComponent(`
    export const watch = (db, memory) => {
      const flags = new Int32Array(memory)
      setImmediate(() => Atomics.store(flags, 0, 1))
      setTimeout(() => Atomics.store(flags, 1, 1), 1)
    }`)}`,
)

interface Turns {
  watch(db: unknown, memory: SharedArrayBuffer): void
}

async function watchTurns(worker: SqliteWorker): Promise<() => boolean> {
  const flags = new Int32Array(new SharedArrayBuffer(8))
  await worker.procedures<Turns>(TURNS).watch(flags.buffer)
  return () => flags.every((_, index) => Atomics.load(flags, index) === 1)
}

describe('a thread under load', () => {
  it('has turns of its event loop while a caller awaits statement after statement', async () => {
    const worker = await withTable()
    for (let n = 0; n < 20; n++) await worker.insert('t', { n })
    const hasTurned = await watchTurns(worker)
    while (!hasTurned()) await worker.insert('t', { n: 0 })
  })

  it('has turns of its event loop while its next message is always there already', async () => {
    const worker = await withTable()
    let answered = 0
    const ending = new AbortController()
    // takes the thread longer than it takes the caller to send the next
    const sql = `INSERT INTO t SELECT COUNT(*) FROM (${ROWS})`
    const client = async (): Promise<void> => {
      for (; !ending.signal.aborted; answered++) await worker.execute(sql, [500])
    }
    // more than one message holds, so that two are always under way
    const clients = Array.from({ length: 1500 }, client)
    const hasTurned = await watchTurns(worker)
    const enough = answered + 20_000
    const goesOn = (): boolean => !hasTurned() && answered < enough
    while (goesOn()) await worker.execute('SELECT 1')
    ending.abort()
    await Promise.all(clients)
    expect(hasTurned()).toBe(true)
  })

  it('leaves the event loop of the caller its turns', async () => {
    const worker = await withTable()
    const turns = { timers: 0, immediates: 0 }
    const timer = setInterval(() => (turns.timers += 1), 1)
    onTestFinished(() => clearInterval(timer))
    const count = (): void => {
      turns.immediates += 1
      if (turns.timers < 20) setImmediate(count)
    }
    setImmediate(count)
    for (let n = 0; turns.timers < 20; n++) await worker.insert('t', { n })
    expect(turns.immediates).toBeGreaterThan(20)
  })
})

describe('waiting', () => {
  /** Milliseconds of processor time, of all threads, that one second takes. */
  async function usedInASecond(): Promise<number> {
    const before = process.cpuUsage()
    await pause(1000)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }

  it('costs an open worker no processor time', async () => {
    const worker = await withTable({ readers: 2 })
    for (let n = 0; n < 300; n++) await Promise.all([worker.insert('t', { n }), worker.select('t')])
    expect(await usedInASecond()).toBeLessThan(500)
  })

  it('for an answer that takes long costs no processor time either', async () => {
    const worker = await withTable()
    for (let n = 0; n < 300; n++) await worker.insert('t', { n })
    const block = await blockWriter(worker)
    const write = worker.insert('t', { n: 300 })
    expect(await usedInASecond()).toBeLessThan(500)
    await block.release()
    await write
  })
})

/** An inbox with the two ends that fill it. */
function openInbox(maySpin: boolean, handle: (message: ToWorker) => void | Promise<void>) {
  const memory = new Int32Array(new SharedArrayBuffer(4 * Shared.length))
  const { port1, port2 } = new MessageChannel()
  onTestFinished(() => port1.close())
  const shared = new SharedState(memory.buffer)
  new Inbox(port2, { shared, maySpin, handle, close: () => port2.close() }).open()
  const post = (file: string): void => {
    port1.postMessage({ type: 'load', file } satisfies ToWorker)
    Atomics.add(memory, Shared.messagesSent, 1)
  }
  return { post, memory }
}

it('an inbox whose next message is always there already lets its event loop have turns', async () => {
  const count = { handled: 0, turns: 0 }
  const { post } = openInbox(true, () => {
    busyFor(5)
    count.handled += 1
    if (count.handled < 100) post('next')
  })
  for (const file of ['first', 'second']) post(file) // what a caller has under way at most
  for (; count.handled < 100; count.turns++) await turn()
  expect(count.turns).toBeGreaterThan(5)
})

describe.each([true, false])('an inbox that may spin: %s', (maySpin) => {
  it('hands messages on one after another, each after what the one before waits for', async () => {
    const random = new Random(seedOf(`inbox ${maySpin}`))
    const log: string[] = []
    let isBusy = false
    const { post } = openInbox(maySpin, (message) => {
      const file = (message as { file: string }).file
      expect(isBusy).toBe(false)
      if (!random.chance(0.3)) return void log.push(file)
      isBusy = true
      return (random.chance(0.5) ? turn() : Promise.resolve()).then(() => {
        isBusy = false
        log.push(file)
      })
    })
    const sent = upTo(3000).map(String)
    for (const file of sent) {
      post(file)
      if (random.chance(0.05)) await turn()
      if (random.chance(0.01)) await pause(1)
    }
    while (log.length < sent.length) await turn()
    expect(log).toEqual(sent)
  })

  it('loses no message that is counted before it is there, or never comes', async () => {
    const log: string[] = []
    const { post, memory } = openInbox(
      maySpin,
      (message) => void log.push((message as { file: string }).file),
    )
    const sent = upTo(50).map(String)
    for (const file of sent) {
      if (Number(file) % 10 === 0) Atomics.add(memory, Shared.messagesSent, 1)
      post(file)
      if (Number(file) % 3 === 0) await turn()
    }
    while (log.length < sent.length) await turn()
    expect(log).toEqual(sent)
  })
})
