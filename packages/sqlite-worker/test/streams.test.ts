import { eventually, spawnChild } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import type { SqliteWorker, SqliteWorkerOptions } from '../src/index.ts'
import { gate, openWorker, temporaryFile, workerUrl } from './fixture.ts'
import { COUNT_UP, ROWS } from './fixtures/sql.ts'

const ENDLESS: [string, number[]] = [ROWS, [1e12]]

/** Takes so many rows, then leaves the loop. */
async function take(rows: AsyncIterable<object>, count: number): Promise<object[]> {
  const taken: object[] = []
  for await (const row of rows) {
    taken.push(row)
    if (taken.length === count) break
  }
  return taken
}

const all = (rows: AsyncIterable<object>): Promise<object[]> => take(rows, Infinity)

async function withRows(
  count: number,
  options: SqliteWorkerOptions & { file?: string } = {},
): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (n)')
  await worker.execute(`INSERT INTO t ${ROWS}`, [count])
  return worker
}

const noneOpen = (worker: SqliteWorker): Promise<void> =>
  eventually(() => expect(worker.stats().streams).toBe(0))

describe('a stream', () => {
  it('gives every row in order, as objects or arrays, with parameters', async () => {
    const worker = openWorker()
    const rows = await all(worker.stream(ROWS, [2345]))
    expect(rows).toEqual(Array.from({ length: 2345 }, (_, i) => ({ i: i + 1 })))
    expect(await all(worker.stream('SELECT :a AS a, 2', { a: 'x' }, { rowMode: 'array' }))).toEqual([
      ['x', 2],
    ])
    expect(await all(worker.stream('SELECT 1 WHERE 0'))).toEqual([])
    expect(await all(worker.stream('SELECT 1 AS a', [], { int64: 'bigint' }))).toEqual([{ a: 1n }])
    await noneOpen(worker)
  })

  it('holds no more than a few thousand rows: the thread waits for its consumer', async () => {
    const worker = openWorker()
    const rows = worker.stream(
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT zeroblob(1e6) FROM n',
    )
    for (let i = 0; i < 500; i++) expect((await rows.next()).done).toBe(false)
    await rows.return?.()
    await noneOpen(worker)
  })

  it.each([
    ['break', async (worker: SqliteWorker) => void (await take(worker.stream(...ENDLESS), 3))],
    [
      'return',
      async (worker: SqliteWorker) => {
        const rows = worker.stream(...ENDLESS)
        await rows.next()
        await rows.return?.()
        expect(await rows.next()).toEqual({ done: true, value: undefined })
      },
    ],
    [
      'a throw in the loop',
      async (worker: SqliteWorker) => {
        const loop = async (): Promise<void> => {
          for await (const row of worker.stream(...ENDLESS))
            throw new Error(`stop ${Object.keys(row).join()}`)
        }
        await expect(loop()).rejects.toThrow('stop i')
      },
    ],
    [
      'a signal',
      async (worker: SqliteWorker) => {
        const controller = new AbortController()
        const rows = worker.stream(...ENDLESS, { signal: controller.signal })
        await rows.next()
        controller.abort(new Error('enough'))
        await expect(rows.next()).rejects.toMatchObject({
          code: 'ERR_ABORTED',
          maybeCommitted: false,
          cause: { message: 'enough' },
        })
      },
    ],
  ])('ends with %s, and its connection serves the next', async (_, end) => {
    const worker = openWorker({ maxStreams: 1 })
    for (let round = 0; round < 3; round++) {
      await end(worker)
      expect(await take(worker.stream(ROWS, [1200]), 1200)).toHaveLength(1200)
    }
    await noneOpen(worker)
    expect(worker.queueSize).toBe(0)
  })

  it('sees the moment of its first row while writes go on', async () => {
    const file = temporaryFile()
    const worker = await withRows(3000, { file })
    const rows = worker.stream('SELECT n FROM t')
    await worker.insert('t', { n: 0 })
    await rows.next()
    await worker.delete('t', {}, { all: true })
    const other = new Database(file)
    other.exec('INSERT INTO t VALUES (7)')
    other.close()
    expect(await all(rows)).toHaveLength(3000)
    expect(await all(worker.stream('SELECT n FROM t'))).toEqual([{ n: 7 }])
  })

  it('sees every earlier write of its worker, and does not wait for them when it is eager', async () => {
    const worker = await withRows(1)
    const hold = gate()
    const transaction = worker.transaction(() => hold.opened)
    const write = worker.insert('t', { n: 2 })
    const causal = all(worker.stream('SELECT n FROM t'))
    expect(await all(worker.stream('SELECT n FROM t', [], { consistency: 'eager' }))).toEqual([{ n: 1 }])
    hold.open()
    await Promise.all([transaction, write])
    expect(await causal).toEqual([{ n: 1 }, { n: 2 }])
  })

  it('rejects with the error of its statement, and does nothing until it is asked', async () => {
    const worker = openWorker()
    await expect(all(worker.stream('SELECT * FROM missing'))).rejects.toMatchObject({
      code: 'ERR_STATEMENT',
      sql: 'SELECT * FROM missing',
    })
    await expect(all(worker.stream('SELECT ?', [1, 2]))).rejects.toMatchObject({ code: 'ERR_PARAMETERS' })
    await expect(all(worker.stream('SELECT 9007199254740993 AS a'))).rejects.toMatchObject({
      code: 'ERR_INTEGER_RANGE',
    })
    await expect(
      all(worker.stream(`${ROWS} UNION ALL SELECT abs(-9223372036854775808)`, [3])),
    ).rejects.toMatchObject({ code: 'ERR_STATEMENT' })
    worker.stream('SELECT * FROM missing')
    await expect(all(worker.stream('SELECT ?', [undefined as never]))).rejects.toThrow('parameter 1')
    await noneOpen(worker)
  })

  it('refuses integers that lose digits where they come, after the rows before', async () => {
    const worker = openWorker()
    const rows = worker.stream(
      ROWS.replace('SELECT i FROM', 'SELECT iif(i = 1200, 9007199254740993, i) AS v FROM'),
      [2000],
    )
    let count = 0
    const loop = async (): Promise<void> => {
      for await (const row of rows) count += Object.keys(row).length
    }
    await expect(loop()).rejects.toMatchObject({ code: 'ERR_INTEGER_RANGE' })
    expect(count).toBeLessThan(1200)
  })

  it('of a signal that fired before rejects at once, also where it waits for another to end', async () => {
    const worker = openWorker({ maxStreams: 1 })
    await expect(all(worker.stream('SELECT 1', [], { signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    })
    const open = worker.stream(...ENDLESS)
    await open.next()
    const controller = new AbortController()
    const waiting = all(worker.stream('SELECT 1', [], { signal: controller.signal }))
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await open.return?.()
    expect(await all(worker.stream('SELECT 1 AS a'))).toEqual([{ a: 1 }])
  })

  it('that is given up in a native call rejects at once', async () => {
    const worker = openWorker()
    const controller = new AbortController()
    const counted = all(worker.stream(COUNT_UP, [2_000_000], { signal: controller.signal }))
    await eventually(() => expect(worker.stats().streams).toBe(1))
    controller.abort()
    await expect(counted).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  })

  it('ends when its consumer takes nothing for too long', async () => {
    const worker = openWorker({ maxStreamIdleMs: 20, maxStreams: 1 })
    const rows = worker.stream(...ENDLESS)
    await rows.next()
    await noneOpen(worker)
    await expect(rows.next()).rejects.toMatchObject({ code: 'ERR_STREAM_IDLE' })
    expect(await all(worker.stream('SELECT 1 AS a'))).toEqual([{ a: 1 }])
  })

  it('that failed keeps its hands off the connection when its consumer comes back', async () => {
    const worker = openWorker({ maxStreams: 1 })
    const controller = new AbortController()
    const first = worker.stream(...ENDLESS, { signal: controller.signal })
    await first.next()
    controller.abort()
    const second = worker.stream(ROWS, [100_000])
    await second.next()
    await expect(first.next()).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await all(second)).toHaveLength(99_999)
    expect(worker.stats().streams).toBe(0)
  })

  it('that failed does not let in more than maxStreams when its consumer comes back', async () => {
    const worker = openWorker({ maxStreams: 1 })
    const controller = new AbortController()
    const first = worker.stream(...ENDLESS, { signal: controller.signal })
    await first.next()
    controller.abort()
    const second = worker.stream(...ENDLESS)
    await second.next()
    await expect(first.next()).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(worker.stats().streams).toBe(1)
    await second.return?.()
    await noneOpen(worker)
  })
})

describe('several streams', () => {
  it('run at once, each with its own rows', async () => {
    const worker = openWorker()
    const results = await Promise.all([1, 1000, 5000].map((count) => all(worker.stream(ROWS, [count]))))
    expect(results.map((rows) => rows.length)).toEqual([1, 1000, 5000])
    await noneOpen(worker)
  })

  it('beyond maxStreams wait, in order', async () => {
    const worker = openWorker({ maxStreams: 2 })
    const open = [worker.stream(...ENDLESS), worker.stream(...ENDLESS)]
    for (const rows of open) await rows.next()
    const ended: number[] = []
    const waiting = [1, 2].map((n) => all(worker.stream('SELECT 1')).then(() => ended.push(n)))
    expect(await worker.execute('SELECT 1 AS a')).toEqual([{ a: 1 }]) // reads have threads of their own
    expect([ended, worker.stats().streams]).toEqual([[], 2])
    await open[0]?.return?.()
    await Promise.all(waiting)
    expect(ended).toEqual([1, 2])
    await open[1]?.return?.()
  })

  it('with one signal leave no listeners behind', async () => {
    const worker = openWorker()
    const warnings: unknown[] = []
    process.on('warning', (warning) => warnings.push(warning))
    const { signal } = new AbortController()
    await Promise.all(Array.from({ length: 30 }, () => all(worker.stream('SELECT 1', [], { signal }))))
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
  })
})

describe('a stream where only one connection sees the database', () => {
  it('gives the rows of its transaction', async () => {
    const worker = await withRows(2)
    await worker.transaction(async (tx) => {
      await tx.insert('t', { n: 3 })
      expect(await all(tx.stream('SELECT n FROM t'))).toHaveLength(3)
      expect(await all(worker.stream('SELECT n FROM t'))).toHaveLength(3)
      expect(await all(worker.outside(() => worker.stream('SELECT n FROM t')))).toHaveLength(2)
      await expect(all(tx.stream('SELECT n FROM missing'))).rejects.toMatchObject({ code: 'ERR_STATEMENT' })
    })
  })

  it('works in memory, with temporary tables and with a statement that writes', async () => {
    const memory = await withRows(1500, { file: ':memory:' })
    expect(await all(memory.stream('SELECT n FROM t'))).toHaveLength(1500)
    const worker = await withRows(1)
    expect(await all(worker.stream('INSERT INTO t VALUES (2) RETURNING n'))).toEqual([{ n: 2 }])
    await worker.execute('CREATE TEMP TABLE x AS SELECT 5 AS a')
    expect(await all(worker.stream('SELECT a FROM x'))).toEqual([{ a: 5 }])
  })
})

describe('closing', () => {
  it('waits for open streams, and refuses those that come later', async () => {
    const worker = openWorker()
    const rows = worker.stream(ROWS, [5000])
    await rows.next()
    const closed = worker.close()
    await expect(all(worker.stream('SELECT 1'))).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(await all(rows)).toHaveLength(4999)
    await closed
  })

  it('without drain ends open streams, and those that wait', async () => {
    const worker = openWorker({ maxStreams: 1 })
    const rows = worker.stream(...ENDLESS)
    await rows.next()
    const waiting = all(worker.stream('SELECT 1'))
    waiting.catch(() => {})
    await worker.close({ drain: false })
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await expect(all(rows)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })
})

describe('a process', () => {
  it.each(['stream', 'stream-break', 'stream-abort'])('ends after %s, with its worker open', async (use) => {
    const program = new URL('./fixtures/uses.ts', import.meta.url)
    const child = spawnChild(program, { args: [temporaryFile(), workerUrl().href, use] })
    expect(await child.exited).toMatchObject({ code: 0, stdout: 'end\n', stderr: '' })
  })
})
