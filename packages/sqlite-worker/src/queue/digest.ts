import type { Store } from './store.ts'

/** What there is to do in a queue. Times are null for none. */
export interface Digest {
  readonly ready: number
  readonly suspect: number
  /** When the next delayed job is due. */
  readonly due: number | null
  /** When the next schedule is due. */
  readonly cron: number | null
  /** When the oldest start was that still counts for the rate limit. */
  readonly start: number | null
}

const PROMOTE_BATCH = 1000
const DELAYED = 'queue = ? AND state > 1 AND state = 2'
const DIGEST = `SELECT
  EXISTS (SELECT 1 FROM outrider_queue_jobs WHERE queue = ? AND state = 0) AS ready,
  EXISTS (SELECT 1 FROM outrider_queue_jobs WHERE queue = ? AND state > 1 AND state = 4) AS suspect,
  (SELECT min(at) FROM outrider_queue_jobs WHERE ${DELAYED}) AS due,
  (SELECT min(next_at) FROM outrider_queue_schedules WHERE queue = ?) AS cron,
  (SELECT min(at) FROM outrider_queue_starts WHERE queue = ?) AS start`
const PROMOTE = `UPDATE outrider_queue_jobs SET state = 0 WHERE id IN (
  SELECT id FROM outrider_queue_jobs WHERE ${DELAYED} AND at <= ? ORDER BY at LIMIT ${PROMOTE_BATCH})`
const REDATE = `UPDATE outrider_queue_jobs SET at = ? + delay_ms WHERE ${DELAYED} AND at > ? + delay_ms`
/** Lets in as many of each group as it has room for. Looks at all parked jobs. */
const UNPARK_ALL = `UPDATE outrider_queue_jobs SET state = 0 WHERE id IN (
  SELECT id FROM (
    SELECT id, grp, row_number() OVER (PARTITION BY grp ORDER BY priority DESC, id) AS nr
    FROM outrider_queue_jobs WHERE queue = ? AND state = 3) AS p
  WHERE nr <= ? - (SELECT count(*) FROM outrider_queue_jobs AS r
    WHERE r.queue = ? AND r.state = 1 AND r.grp IS NOT NULL AND r.grp = p.grp))`
/** Lets in one of each group that has nothing running. Looks once at each group, jumping from one to the next. */
const UNPARK_IDLE = `WITH RECURSIVE groups (grp) AS (
    SELECT min(grp) FROM outrider_queue_jobs WHERE queue = ? AND state = 3
    UNION ALL
    SELECT (SELECT min(grp) FROM outrider_queue_jobs WHERE queue = ? AND state = 3 AND grp > groups.grp)
    FROM groups WHERE grp IS NOT NULL)
  UPDATE outrider_queue_jobs SET state = 0 WHERE id IN (
    SELECT (SELECT id FROM outrider_queue_jobs WHERE queue = ? AND state = 3 AND grp = groups.grp
      ORDER BY priority DESC, id LIMIT 1)
    FROM groups WHERE grp IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outrider_queue_jobs AS r
      WHERE r.queue = ? AND r.state = 1 AND r.grp IS NOT NULL AND r.grp = groups.grp))`

export async function readDigest(store: Store): Promise<Digest> {
  const { id } = store
  const [digest] = await store.look<Digest & Record<string, unknown>>(DIGEST, [id, id, id, id, id])
  return digest ?? { ready: 0, suspect: 0, due: null, cron: null, start: null }
}

/** Makes delayed jobs ready whose time has come. Resolves to whether there may be more of them. */
export async function promoteDue(store: Store): Promise<boolean> {
  const { changes } = await store.write(PROMOTE, [store.id, store.now()])
  return changes === PROMOTE_BATCH
}

/** After the clock was set back: no job waits for longer than it was to wait. Jobs with a set time keep it. */
export async function redateDelayed(store: Store): Promise<void> {
  const now = store.now()
  await store.write(REDATE, [now, store.id, now])
}

/** After the limit of groups may have become another: lets parked jobs in that have room now. */
export async function unparkAll(store: Store, groupConcurrency: number): Promise<void> {
  await store.write(UNPARK_ALL, [store.id, groupConcurrency, store.id])
}

/** Lets jobs in whose group is idle, for which no end of another job would do so. */
export async function unparkIdle(store: Store): Promise<void> {
  const { id } = store
  await store.write(UNPARK_IDLE, [id, id, id, id])
}
