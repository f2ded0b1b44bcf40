import type { Transaction } from '../transaction.ts'
import { CronTimes } from './cron.ts'
import type { CatchUp } from './schedule-options.ts'
import type { Store } from './store.ts'

const COLUMNS = `id, cron, time_zone, catch_up, max_catch_up, grace_ms, task, payload, priority, grp, max_attempts,
  after_at, next_at, fired`
const DUE = `SELECT ${COLUMNS} FROM outrider_queue_schedules WHERE queue = ? AND next_at <= ? ORDER BY next_at, id`
const AHEAD = `SELECT ${COLUMNS} FROM outrider_queue_schedules WHERE queue = ? AND (after_at > ? OR next_at > ?)`
/** Succeeds for one process only, and not when the schedule was changed meanwhile. */
const ADVANCE = `UPDATE outrider_queue_schedules SET after_at = ?, next_at = ?, fired = fired + ?
  WHERE id = ? AND after_at = ? AND next_at IS ? AND cron = ? AND time_zone = ?`
const TAKE_SLOT =
  'INSERT INTO outrider_queue_slots (schedule, slot, nr) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
const FORGET_SLOTS = 'DELETE FROM outrider_queue_slots WHERE schedule = ? AND nr <= ?'
const INSERT = `INSERT INTO outrider_queue_jobs
    (queue, state, task, priority, payload, max_attempts, added_at, grp, schedule, slot)
  SELECT ?, 0, ?, ?, ?, ?, ?, ?, name, ? FROM outrider_queue_schedules WHERE id = ?`

/** How many slots of each schedule are remembered: a clock that is set back by less makes none of them twice. */
const REMEMBERED_SLOTS = 10_000

interface DueRow {
  readonly id: number
  readonly cron: string
  readonly time_zone: string
  readonly catch_up: CatchUp
  readonly max_catch_up: number
  readonly grace_ms: number
  readonly task: string
  readonly payload: string | null
  readonly priority: number
  readonly grp: string | null
  readonly max_attempts: number
  readonly after_at: number
  readonly next_at: number | null
  readonly fired: number
}

/** Makes the jobs of schedules whose slots have come. Resolves to how many. */
export async function fireDue(store: Store): Promise<number> {
  const now = store.now()
  let made = 0
  for (const row of await store.look<DueRow>(DUE, [store.id, now])) {
    try {
      const times = new CronTimes(row.cron, row.time_zone)
      const slots = slotsOf(row, times, now)
      made += await store.transaction((tx) => fire(tx, { row, slots, now, queue: store.id, times }))
    } catch (error) {
      if (await store.isGone(error)) throw error
      store.options.onError(error) // the other schedules go on
    }
  }
  return made
}

/**
 * After the clock was set back: lets schedules wait for times that come again. Slots of those times that had their job
 * before the jump are remembered and make no second one.
 */
export async function rewindSchedules(store: Store): Promise<void> {
  const now = store.now()
  for (const row of await store.look<DueRow>(AHEAD, [store.id, now, now])) {
    const afterAt = Math.min(row.after_at, now)
    const nextAt = new CronTimes(row.cron, row.time_zone).nextAfter(afterAt)
    const { id, after_at, next_at, cron, time_zone } = row
    await store.write(ADVANCE, [afterAt, nextAt, 0, id, after_at, next_at, cron, time_zone])
  }
}

function slotsOf(row: DueRow, times: CronTimes, now: number): number[] {
  switch (row.catch_up) {
    case 'last':
      return times.newest(row.after_at, now, 1)
    case 'all':
      return times.newest(row.after_at, now, row.max_catch_up)
    case 'skip':
      return times.newest(Math.max(row.after_at, now - row.grace_ms - 1), now, row.max_catch_up)
  }
}

interface Firing {
  readonly row: DueRow
  readonly slots: readonly number[]
  readonly now: number
  readonly queue: number
  readonly times: CronTimes
}

async function fire(tx: Transaction, { row, slots, now, queue, times }: Firing): Promise<number> {
  const { id, after_at, next_at, cron, time_zone, fired } = row
  const nextAt = times.nextAfter(now)
  const advanced = await tx.execute(ADVANCE, [
    now,
    nextAt,
    slots.length,
    id,
    after_at,
    next_at,
    cron,
    time_zone,
  ])
  if (advanced.changes === 0) return 0 // another process was first
  let made = 0
  for (const [i, slot] of slots.entries()) {
    const taken = await tx.execute(TAKE_SLOT, [id, slot, fired + i + 1])
    if (taken.changes === 0) continue // it had its job before the clock was set back
    const { task, priority, payload, max_attempts, grp } = row
    await tx.execute(INSERT, [queue, task, priority, payload, max_attempts, now, grp, slot, id])
    made += 1
  }
  if (fired % 100 < slots.length) await tx.execute(FORGET_SLOTS, [id, fired - REMEMBERED_SLOTS])
  return made
}
