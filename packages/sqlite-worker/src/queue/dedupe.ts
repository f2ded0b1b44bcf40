import type { Connection } from '../connection.ts'
import type { WriteResult } from '../engine/results.ts'
import type { NewJob } from './inserter.ts'

const RELEASE = `UPDATE outrider_queue_jobs SET dedupe_key = NULL
  WHERE queue = ? AND dedupe_key = ? AND state IN (5, 6) AND coalesce(dedupe_until, 0) <= ?`

const INSERT = `INSERT INTO outrider_queue_jobs
  (queue, added_at, task, payload, priority, max_attempts, state, at, delay_ms, grp, dedupe_key, dedupe_until)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

const FIND = 'SELECT id FROM outrider_queue_jobs WHERE queue = ? AND dedupe_key = ?'

/** Assigns to `dedupe_key` when a job ends: it is kept for as long as was asked. Takes one parameter, the time. */
export const KEEP_KEY = 'dedupe_key = iif(dedupe_until > ?, dedupe_key, NULL)'

export interface KeyedJob {
  readonly job: NewJob
  readonly key: string
  readonly keepMs: number
  readonly addedAt: number
}

/** Inserts a job unless there is one of its key. Resolves to the id of the one that is there then. */
export async function insertUnlessThere(
  connection: Connection,
  queue: number,
  { job, key, keepMs, addedAt }: KeyedJob,
): Promise<{ id: number; deduplicated: boolean }> {
  // sent together; an unfinished job of the key could end between them, so that none is found: then once more
  for (;;) {
    void connection.execute(RELEASE, [queue, key, addedAt])
    const keepUntil = keepMs > 0 ? addedAt + keepMs : null
    const insertion = connection.execute(INSERT, [queue, addedAt, ...job, key, keepUntil])
    const search = connection.execute<{ id: number }>(FIND, [queue, key])
    const [inserted, found] = (await Promise.all([insertion, search])) as [WriteResult, { id: number }[]]
    if (inserted.changes > 0) return { id: Number(inserted.lastInsertRowid), deduplicated: false }
    if (found[0]) return { id: found[0].id, deduplicated: true }
  }
}
