// The Django integration guide of the Python package sqlite-worker, section by section, as it reads in TypeScript.
import { EventEmitter } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { spawnChild } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { SqliteWorker, type SqliteWorkerOptions } from '../src/index.ts'
import { createQueue } from '../src/queue/index.ts'
import { gate, openWorker, temporaryFile, workerUrl } from './fixture.ts'
import { published } from './fixtures/observe.ts'

/** Keeps the write lock of a file, as another process does. */
function lock(file: string): { release(): void } {
  const other = new Database(file)
  onTestFinished(() => void other.close())
  other.exec('BEGIN IMMEDIATE')
  return { release: () => other.exec('COMMIT') }
}

describe('Key Integration Points', () => {
  it('1. Worker Singleton: one worker for the process, with PRAGMAs in executeInit', async () => {
    const baseDir = join(temporaryFile(), '..')
    // oxlint-disable-next-line typescript/no-extraneous-class -- as the document has it
    class WorkerManager {
      static #instance: SqliteWorker | undefined

      static getWorker(): SqliteWorker {
        if (!this.#instance) {
          const dbPath = join(baseDir, 'analytics.db')
          this.#instance = new SqliteWorker(dbPath, {
            executeInit: ['PRAGMA journal_mode=WAL;', 'PRAGMA synchronous=NORMAL;'],
            workerUrl: workerUrl(),
          })
        }
        return this.#instance
      }
    }
    const worker = WorkerManager.getWorker()
    expect(WorkerManager.getWorker()).toBe(worker)
    expect(await worker.executeAndFetch('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }])
    expect(await worker.executeAndFetch('PRAGMA synchronous')).toEqual([{ synchronous: 1 }])
    expect(existsSync(join(baseDir, 'analytics.db'))).toBe(true)
    await worker.close()
  })

  it('2. Views Integration: a query gives a token, the token gives rows', async () => {
    const worker = openWorker()
    void worker.execute('CREATE TABLE page_views (url TEXT, date TEXT)')
    for (const [url, date] of [
      ['/', '2024-05-01'],
      ['/', '2024-05-02'],
      ['/a', '2024-05-02'],
    ] as const)
      void worker.insert('page_views', { url, date })

    const token = worker.execute(`
        SELECT date, COUNT(*) as views
        FROM page_views
        GROUP BY date
        ORDER BY date DESC
        LIMIT 30
    `)
    const results = await worker.fetchResults(token)
    expect({ analytics: results.map((r) => ({ date: r.date, views: r.views })) }).toEqual({
      analytics: [
        { date: '2024-05-02', views: 2 },
        { date: '2024-05-01', views: 1 },
      ],
    })

    // r[0] and r[1], as in the original
    const tuples = await worker.execute('SELECT date, 1 FROM page_views LIMIT 1', [], { rowMode: 'array' })
    expect(tuples.map((r) => ({ date: r[0], views: r[1] }))).toEqual([{ date: '2024-05-01', views: 1 }])
  })

  it('3. Management Commands: inserts that nobody awaits inside a transaction are all or nothing', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE analytics (post_id INTEGER PRIMARY KEY, views INTEGER, date TEXT)')
    const handle = (posts: readonly { id: number; viewCount: number; createdAt: Date }[]): Promise<void> =>
      worker.transaction(async () => {
        for (const post of posts) {
          void worker.insert('analytics', {
            post_id: post.id,
            views: post.viewCount,
            date: post.createdAt.toISOString().slice(0, 10),
          })
        }
      })
    const createdAt = new Date('2024-05-01T12:00:00Z')
    await handle([
      { id: 1, viewCount: 10, createdAt },
      { id: 2, viewCount: 20, createdAt },
    ])
    const stored = [
      { post_id: 1, views: 10, date: '2024-05-01' },
      { post_id: 2, views: 20, date: '2024-05-01' },
    ]
    expect(await worker.select('analytics')).toEqual(stored)

    const again = handle([
      { id: 3, viewCount: 30, createdAt },
      { id: 1, viewCount: 99, createdAt },
    ])
    await expect(again).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
    expect(await worker.select('analytics')).toEqual(stored)
  })
})

describe('Use Cases', () => {
  it('1. Analytics Dashboard: page views are logged without waiting, and counted for today', async () => {
    const worker = openWorker()
    void worker.execute('CREATE TABLE page_views (url TEXT, user_id INTEGER, timestamp TEXT)')
    const request = { path: '/books', user: { id: 7 } }
    void worker.insert('page_views', {
      url: request.path,
      user_id: request.user.id,
      timestamp: new Date().toISOString(),
    })
    void worker.insert('page_views', { url: request.path, user_id: 8, timestamp: new Date() }) // the same text
    void worker.insert('page_views', { url: '/', user_id: 7, timestamp: '2001-01-01T00:00:00.000Z' })

    const token = worker.execute(`
        SELECT url, COUNT(*) as views
        FROM page_views
        WHERE date(timestamp) = date('now')
        GROUP BY url
        ORDER BY views DESC
        LIMIT 10
    `)
    expect(await worker.fetchResults(token)).toEqual([{ url: '/books', views: 2 }])
  })

  it('2. Background Task Queue: by hand, with select and update', async () => {
    const worker = openWorker()
    void worker.execute(
      'CREATE TABLE tasks (id INTEGER PRIMARY KEY, task_type TEXT, payload TEXT, status TEXT)',
    )
    void worker.insert('tasks', {
      task_type: 'send_email',
      payload: JSON.stringify({ to: 'ada@example.com' }),
      status: 'pending',
    })
    const sent: unknown[] = []
    async function processTasks(): Promise<void> {
      const token = worker.select(
        'tasks',
        { conditions: { status: 'pending' }, limit: 10 },
        { rowMode: 'array' },
      )
      const tasks = await worker.fetchResults(token)
      for (const task of tasks as unknown as [id: number, type: string, payload: string][]) {
        sent.push(JSON.parse(task[2]))
        void worker.update('tasks', { status: 'completed' }, { id: task[0] })
      }
    }
    await processTasks()
    await processTasks()
    expect(sent).toEqual([{ to: 'ada@example.com' }])
    expect(await worker.select('tasks', { columns: ['id', 'status'] })).toEqual([
      { id: 1, status: 'completed' },
    ])
  })

  it('3. Audit Logging: the listener of another library logs each change in its order', async () => {
    const worker = openWorker()
    void worker.execute('CREATE TABLE audit_log (model TEXT, object_id INTEGER, action TEXT, timestamp TEXT)')
    const postSave = new EventEmitter<{ save: [sender: string, pk: number, created: boolean] }>()
    postSave.on('save', (sender, pk, created) => {
      const action = created ? 'created' : 'updated'
      void worker.insert('audit_log', {
        model: sender,
        object_id: pk,
        action,
        timestamp: new Date().toISOString(),
      })
    })
    postSave.emit('save', 'Post', 1, true)
    postSave.emit('save', 'Post', 1, false)
    expect(await worker.select('audit_log', { columns: ['model', 'object_id', 'action'] })).toEqual([
      { model: 'Post', object_id: 1, action: 'created' },
      { model: 'Post', object_id: 1, action: 'updated' },
    ])
  })

  it('4. Bulk Operations: thousands of inserts in one transaction', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE bulk_data (field1 INTEGER, field2 TEXT)')
    const largeDataset = Array.from({ length: 5000 }, (_, n) => ({ field1: n, field2: `text ${n}` }))
    await worker.transaction(async () => {
      for (const record of largeDataset) {
        void worker.insert('bulk_data', { field1: record.field1, field2: record.field2 })
      }
    })
    expect(await worker.select('bulk_data', { orderBy: 'field1' })).toEqual(largeDataset)
  })
})

it('Configuration: the worker is closed when the process ends, and what nobody awaited is written', async () => {
  const file = temporaryFile()
  const program = new URL('./fixtures/close-at-exit.ts', import.meta.url)
  const child = spawnChild(program, { args: [file, workerUrl().href] })
  expect(await child.exited).toMatchObject({ code: 0, stdout: 'closed\n' })
  expect(await openWorker({ file }).select('log')).toEqual([{ text: 'nobody waits for this' }])
})

it('Best Practices: transactions by context, error handling, close on shutdown', async () => {
  const worker = openWorker()
  await worker.execute('CREATE TABLE log (n INTEGER)')
  {
    await using tx = await worker.beginTransaction() // Python's `with`: undone where the block ends without commit
    await tx.insert('log', { n: 1 })
  }
  expect(await worker.select('log')).toEqual([])
  const token = worker.execute('SELECT * FROM no_such_table')
  await expect(worker.fetchResults(token)).rejects.toMatchObject({ code: 'ERR_STATEMENT' })
  await worker.close()
  await expect(worker.insert('log', { n: 2 })).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})

it('Performance Tips: indexes on worker tables, WAL, batches, retries', async () => {
  const worker = openWorker()
  expect(await worker.execute('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]) // also when nobody asks
  await worker.execute('CREATE TABLE page_views (url TEXT)')
  await worker.execute('CREATE INDEX page_views_url ON page_views (url)')
  await worker.insert('page_views', [{ url: '/' }, { url: '/a' }])
  expect(await worker.execute("EXPLAIN QUERY PLAN SELECT * FROM page_views WHERE url = '/'")).toMatchObject([
    { detail: expect.stringContaining('page_views_url') as string },
  ])

  const queue = createQueue<{ digest: { url: string } }>(worker)
  queue.work(
    {
      digest: ({ url }, { attempt }) => {
        if (attempt === 1) throw new Error('busy')
        return `${url} in attempt ${attempt}`
      },
    },
    { backoff: { initialMs: 1 } },
  )
  const { id } = await queue.add('digest', { url: '/' })
  expect(await queue.waitFor(id)).toBe('/ in attempt 2')
  await queue.close()
})

describe('Testing: class WorkerTestCase', () => {
  const worker = new SqliteWorker(':memory:', { workerUrl: workerUrl() })
  afterAll(() => worker.close())

  // def setUp(self):
  beforeEach(() => {
    // Initialize test tables
    void worker.execute(`
        CREATE TABLE IF NOT EXISTS test_data (
            id INTEGER PRIMARY KEY,
            value TEXT
        )
    `)
  })

  it('test_insert', async () => {
    const token = worker.insert('test_data', { value: 'test' })
    const result = await worker.fetchResults(token)
    expect(result).not.toBeNull()
    expect(result).toEqual({ changes: 1, lastInsertRowid: 1 })
  })

  it('test_insert again finds the table made anew', async () => {
    expect(await worker.fetchResults(worker.insert('test_data', { value: 'test' }))).toMatchObject({
      lastInsertRowid: 1,
    })
  })

  // def tearDown(self):
  afterEach(() => {
    void worker.execute('DROP TABLE IF EXISTS test_data')
  })
})

describe('Production Considerations', () => {
  const open = async (options: SqliteWorkerOptions = {}): Promise<{ worker: SqliteWorker; file: string }> => {
    const file = temporaryFile()
    const worker = openWorker({ file, ...options })
    await worker.execute('CREATE TABLE log (n INTEGER)')
    return { worker, file }
  }

  it('1. Database Files: backups and the size are there', async () => {
    const { worker, file } = await open()
    await worker.insert('log', { n: 1 })
    await worker.backup(`${file}.backup`)
    expect(await openWorker({ file: `${file}.backup` }).select('log')).toEqual([{ n: 1 }])
    expect(worker.stats().fileBytes).toBeGreaterThan(0)
    expect(await worker.integrityCheck()).toEqual([])
  })

  it('2. Concurrency: a lock of another process is waited for, and reads have threads of their own', async () => {
    const { worker, file } = await open({ readers: 2 })
    const held = lock(file)
    const write = worker.insert('log', { n: 1 })
    const read = await worker.execute('SELECT COUNT(*) AS n FROM log', [], { consistency: 'eager' })
    expect(read).toEqual([{ n: 0 }]) // beside the write that waits
    held.release()
    expect(await write).toMatchObject({ changes: 1 })
    expect(worker.stats().readers.threads).toBeGreaterThan(0)
  })

  it('2. Concurrency: a lock that stays is an error that can be handled', async () => {
    const { worker, file } = await open({ busyTimeoutMs: 20 })
    const held = lock(file)
    await expect(worker.insert('log', { n: 1 })).rejects.toMatchObject({ sqliteCode: 'SQLITE_BUSY' })
    held.release()
    expect(await worker.insert('log', { n: 1 })).toMatchObject({ changes: 1 })
  })

  it('3. Monitoring: operations are published, and the depth of both queues is known', async () => {
    const operations = published<{ sql: string }>('operation')
    const { worker } = await open()
    const [begun, done] = [gate(), gate()]
    const transaction = worker.transaction(async () => {
      begun.open()
      await done.opened
    })
    await begun.opened
    const writes = [1, 2, 3].map((n) => worker.insert('log', { n }))
    expect(worker.queueSize).toBeGreaterThanOrEqual(3)
    done.open()
    await Promise.all([transaction, ...writes])
    expect(worker.queueSize).toBe(0)
    expect(operations.filter(({ sql }) => sql.startsWith('INSERT INTO "log"'))).toHaveLength(3)

    const queue = createQueue(worker)
    await queue.add('report', {})
    expect(await queue.counts()).toMatchObject({ pending: 1 })
    await queue.close()
  })
})

it('Celery Integration: the handler of a task reads with the worker', async () => {
  const worker = openWorker()
  await worker.execute('CREATE TABLE analytics (post_id INTEGER, views INTEGER)')
  await worker.insert('analytics', { post_id: 1, views: 10 })
  const queue = createQueue<{ processAnalytics: null }>(worker)
  queue.work({
    processAnalytics: async () => {
      const token = worker.execute('SELECT * FROM analytics')
      const results = await worker.fetchResults(token)
      return results.length
    },
  })
  const { id } = await queue.add('processAnalytics', null)
  expect(await queue.waitFor(id)).toBe(1)
  await queue.close()
})
