import type { Transaction } from '../transaction.ts'
import { QueueVersionError } from './errors.ts'

/** Version of the tables below. */
const VERSION = 1

/*
 * jobs.at: for a delayed job when it is due, for a completed or dead one when it ended.
 * jobs.delay_ms: how long a delayed job was to wait at most, NULL when it waits for a set time.
 * jobs.fence: counts the claims of a job; whoever writes to a running job must show the number of its claim.
 * Every index is partial, so that a job stands in the ones of its state only: `ready` gives the next jobs of a task in
 * order, `held` the running jobs of a consumer, `aside` the rest. A query must repeat an index's condition to use it.
 */
const statements = [
  `CREATE TABLE outrider_queues (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, paused INTEGER NOT NULL DEFAULT 0, seen_at INTEGER)`,
  `CREATE TABLE outrider_queue_jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue INTEGER NOT NULL, state INTEGER NOT NULL, task TEXT NOT NULL,
    priority INTEGER NOT NULL, payload TEXT, max_attempts INTEGER NOT NULL, added_at INTEGER NOT NULL, at INTEGER,
    delay_ms INTEGER, grp TEXT, dedupe_key TEXT, dedupe_until INTEGER, schedule TEXT, slot INTEGER,
    fence INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, consumer INTEGER, started_at INTEGER,
    progress TEXT, result TEXT, error TEXT)`,
  'CREATE INDEX outrider_queue_ready ON outrider_queue_jobs (queue, task, priority DESC) WHERE state = 0',
  'CREATE INDEX outrider_queue_held ON outrider_queue_jobs (queue, consumer) WHERE state = 1',
  'CREATE INDEX outrider_queue_aside ON outrider_queue_jobs (queue, state, at) WHERE state > 1',
  `CREATE UNIQUE INDEX outrider_queue_dedupe ON outrider_queue_jobs (queue, dedupe_key)
    WHERE dedupe_key IS NOT NULL`,
  `CREATE TABLE outrider_queue_consumers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue INTEGER NOT NULL, lease_ms INTEGER NOT NULL, beat INTEGER NOT NULL)`,
  `CREATE TABLE outrider_queue_starts (queue INTEGER NOT NULL, at INTEGER NOT NULL, starts INTEGER NOT NULL)`,
  'CREATE INDEX outrider_queue_starts_at ON outrider_queue_starts (queue, at)',
  `CREATE TABLE outrider_queue_schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue INTEGER NOT NULL, name TEXT NOT NULL, cron TEXT NOT NULL,
    time_zone TEXT NOT NULL, catch_up TEXT NOT NULL, max_catch_up INTEGER NOT NULL, grace_ms INTEGER NOT NULL,
    task TEXT NOT NULL, payload TEXT, priority INTEGER NOT NULL, grp TEXT, max_attempts INTEGER NOT NULL,
    after_at INTEGER NOT NULL, next_at INTEGER, fired INTEGER NOT NULL DEFAULT 0, UNIQUE (queue, name))`,
  `CREATE TABLE outrider_queue_slots (
    schedule INTEGER NOT NULL, slot INTEGER NOT NULL, nr INTEGER NOT NULL, PRIMARY KEY (schedule, slot)) WITHOUT ROWID`,
]

/** Makes the tables where there are none, and the queue's own row. Returns its id and when a consumer last gave a sign of life. */
export async function setUp(tx: Transaction, name: string): Promise<{ id: number; seenAt: number | null }> {
  void tx.execute('CREATE TABLE IF NOT EXISTS outrider_queue_version (version INTEGER NOT NULL)')
  const [record] = await tx.execute<{ version: number }>('SELECT version FROM outrider_queue_version')
  if (record && record.version > VERSION) throw new QueueVersionError(record.version, VERSION)
  if (!record) {
    for (const sql of statements) void tx.execute(sql)
    void tx.execute('INSERT INTO outrider_queue_version (version) VALUES (?)', [VERSION])
  }
  void tx.execute('INSERT INTO outrider_queues (name) VALUES (?) ON CONFLICT DO NOTHING', [name])
  const [row] = await tx.execute<{ id: number; seen_at: number | null }>(
    'SELECT id, seen_at FROM outrider_queues WHERE name = ?',
    [name],
  )
  if (!row) throw new Error('The row of a queue that was just inserted is gone')
  return { id: row.id, seenAt: row.seen_at }
}

/**
 * When a running job of a group ends, in whichever way and process, the next parked job of the group is let in. A
 * trigger, so that it is part of the same commit. Made when `groupConcurrency` is first used.
 */
export const groupStatements: readonly string[] = [
  `CREATE INDEX IF NOT EXISTS outrider_queue_parked ON outrider_queue_jobs (queue, grp, priority DESC) WHERE state = 3`,
  `CREATE INDEX IF NOT EXISTS outrider_queue_held_groups ON outrider_queue_jobs (queue, grp)
    WHERE state = 1 AND grp IS NOT NULL`,
  ...['UPDATE OF state', 'DELETE'].map(
    (
      event,
      i,
    ) => `CREATE TRIGGER IF NOT EXISTS outrider_queue_unpark_${i} AFTER ${event} ON outrider_queue_jobs
      WHEN OLD.state = 1 AND OLD.grp IS NOT NULL ${i === 0 ? 'AND NEW.state <> 1' : ''}
      BEGIN UPDATE outrider_queue_jobs SET state = 0 WHERE id = (
        SELECT id FROM outrider_queue_jobs WHERE queue = OLD.queue AND grp = OLD.grp AND state = 3
        ORDER BY priority DESC, id LIMIT 1); END`,
  ),
]
