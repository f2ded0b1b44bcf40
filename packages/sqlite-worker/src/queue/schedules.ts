import { CronTimes } from './cron.ts'
import { fromJson } from './job.ts'
import type { CatchUp, ResolvedScheduleOptions, Schedule } from './schedule-options.ts'
import type { Store } from './store.ts'

// a schedule that stays the same keeps its place; a changed one begins now
const UPSERT = `INSERT INTO outrider_queue_schedules
    (queue, name, cron, time_zone, catch_up, max_catch_up, grace_ms, task, payload, priority, grp, max_attempts,
     after_at, next_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (queue, name) DO UPDATE SET
    after_at = iif(cron = excluded.cron AND time_zone = excluded.time_zone, after_at, excluded.after_at),
    next_at = iif(cron = excluded.cron AND time_zone = excluded.time_zone, next_at, excluded.next_at),
    cron = excluded.cron, time_zone = excluded.time_zone, catch_up = excluded.catch_up,
    max_catch_up = excluded.max_catch_up, grace_ms = excluded.grace_ms, task = excluded.task,
    payload = excluded.payload, priority = excluded.priority, grp = excluded.grp, max_attempts = excluded.max_attempts`
const REMOVE_SLOTS = `DELETE FROM outrider_queue_slots
  WHERE schedule IN (SELECT id FROM outrider_queue_schedules WHERE queue = ? AND name = ?)`
const REMOVE = 'DELETE FROM outrider_queue_schedules WHERE queue = ? AND name = ?'
const LIST = `SELECT name, cron, time_zone, catch_up, task, payload, next_at FROM outrider_queue_schedules
  WHERE queue = ? ORDER BY name`

export interface ScheduleDefinition {
  readonly name: string
  readonly cron: string
  readonly task: string
  readonly payload: string | null
  readonly options: ResolvedScheduleOptions
}

interface ScheduleRow {
  readonly name: string
  readonly cron: string
  readonly time_zone: string
  readonly catch_up: CatchUp
  readonly task: string
  readonly payload: string | null
  readonly next_at: number | null
}

/** Makes or changes a schedule. Resolves to its next slot as the pattern says. @throws {UsageError} for a pattern that is none */
export async function putSchedule(store: Store, definition: ScheduleDefinition): Promise<number | null> {
  const { name, cron, task, payload, options } = definition
  const now = store.now()
  const nextAt = new CronTimes(cron, options.timeZone).nextAfter(now)
  const { timeZone, catchUp, maxCatchUp, graceMs, priority, group } = options
  const maxAttempts = options.maxAttempts ?? store.options.maxAttempts
  await store.write(UPSERT, [
    store.id,
    name,
    cron,
    timeZone,
    catchUp,
    maxCatchUp,
    Math.ceil(graceMs),
    task,
    payload,
    priority,
    group ?? null,
    maxAttempts,
    now,
    nextAt,
  ])
  return nextAt
}

/** Resolves to whether there was one. Jobs that it made stay. */
export async function removeSchedule(store: Store, name: string): Promise<boolean> {
  return store.transaction(async (tx) => {
    void tx.execute(REMOVE_SLOTS, [store.id, name])
    const removed = await tx.execute(REMOVE, [store.id, name])
    return removed.changes > 0
  })
}

export async function listSchedules(store: Store): Promise<Schedule[]> {
  const rows = await store.read<ScheduleRow>(LIST, [store.id])
  return rows.map((row) => ({
    name: row.name,
    cron: row.cron,
    timeZone: row.time_zone,
    catchUp: row.catch_up,
    task: row.task,
    payload: fromJson(row.payload),
    nextAt: row.next_at === null ? undefined : new Date(row.next_at),
  }))
}
