import type { Connection } from '../connection.ts'
import type { WriteResult } from '../engine/results.ts'
import { State } from './state.ts'
import type { Store } from './store.ts'
import type { ResolvedWorkOptions } from './work-options.ts'

/** A job as a claim returns it. */
export interface ClaimedJob {
  readonly id: number
  readonly state: number
  readonly task: string
  readonly payload: string | null
  readonly priority: number
  readonly attempts: number
  readonly max_attempts: number
  readonly fence: number
  readonly grp: string | null
  readonly slot: number | null
  readonly isSuspect: boolean
}

export interface Claim {
  /** The next jobs, in order. */
  readonly jobs: ClaimedJob[]
  /** Whether another claim could find more at once. */
  readonly mayHaveMore: boolean
}

const COLUMNS = 'id, state, task, payload, priority, attempts, max_attempts, fence, grp, slot'
const START = 'state = 1, fence = fence + 1, attempts = attempts + 1, progress = NULL'
/** Starts that a backward jump of the clock put into the future count as of now: the limit holds, and nothing waits for long. */
const REDATE_STARTS = 'UPDATE outrider_queue_starts SET at = ? WHERE queue = ? AND at > ?'
const DROP_STARTS = 'DELETE FROM outrider_queue_starts WHERE queue = ? AND at <= ?'
const NOTE_STARTS = 'INSERT INTO outrider_queue_starts (queue, at, starts) VALUES (?, ?, ?)'

/** Takes jobs for one consumer, each statement at once for as many as there is room for. */
export class Claims {
  readonly #store: Store
  readonly #options: ResolvedWorkOptions
  readonly #tasks: readonly string[]

  constructor(store: Store, options: ResolvedWorkOptions, tasks: readonly string[]) {
    this.#store = store
    this.#options = options
    this.#tasks = tasks
  }

  /** Whether other processes' jobs can keep this consumer's waiting, so that it may only take what it starts. */
  get isLimited(): boolean {
    const { queueConcurrency, groupConcurrency, rateLimit } = this.#options
    return queueConcurrency !== Infinity || groupConcurrency !== Infinity || rateLimit !== undefined
  }

  /** Claims up to `room` ready jobs. */
  async claimReady(consumer: number, room: number): Promise<Claim> {
    const isGrouped = this.#options.groupConcurrency !== Infinity
    const sql = isGrouped ? this.#groupedSql(consumer) : this.#readySql(consumer)
    const claimed = await this.#claim(sql, room)
    const jobs = claimed.filter(({ state }) => state === State.running)
    return { jobs: inOrder(jobs), mayHaveMore: claimed.length === room || claimed.length > jobs.length }
  }

  /** Claims one job whose consumer vanished while it ran. */
  async claimSuspect(consumer: number): Promise<ClaimedJob[]> {
    const jobs = await this.#claim(this.#suspectSql(consumer), 1)
    return jobs.map((job) => ({ ...job, isSuspect: true }))
  }

  async #claim(sql: string, room: number): Promise<ClaimedJob[]> {
    const { rateLimit } = this.#options
    if (!rateLimit) {
      return claimedBy(await this.#store.write(sql, [this.#store.now(), ...this.#tasks, room]))
    }
    return this.#store.transaction(async (tx) => {
      // Once nobody else writes: with a time from before that, the starts of others would count as of a clock set back.
      await tx.execute(DROP_STARTS, [this.#store.id, -1])
      const now = this.#store.now()
      void tx.execute(REDATE_STARTS, [now, this.#store.id, now])
      void tx.execute(DROP_STARTS, [this.#store.id, now - rateLimit.durationMs])
      const claimed = claimedBy(await run(tx, sql, [now, ...this.#tasks, room]))
      const starts = claimed.filter(({ state }) => state === State.running).length
      if (starts > 0) await tx.execute(NOTE_STARTS, [this.#store.id, now, starts])
      return claimed
    })
  }

  #readySql(consumer: number): string {
    return `UPDATE outrider_queue_jobs SET ${START}, consumer = ${consumer}, started_at = ?
      WHERE id IN (SELECT id FROM (${this.#candidates(consumer)})) RETURNING ${COLUMNS}`
  }

  /** Parks the jobs of groups that are full, so that they do not stand in the way of the next claims. */
  #groupedSql(consumer: number): string {
    return `UPDATE outrider_queue_jobs SET state = iif(fits, 1, 3), fence = fence + fits, attempts = attempts + fits,
        consumer = iif(fits, ${consumer}, consumer), started_at = iif(fits, now, started_at),
        progress = iif(fits, NULL, progress)
      FROM (SELECT id AS candidate, now, grp IS NULL
          OR row_number() OVER (PARTITION BY grp ORDER BY priority DESC, id) <= ${this.#groupRoom('c')} AS fits
        FROM (SELECT ? AS now), (${this.#candidates(consumer, ', grp')}) AS c)
      WHERE id = candidate RETURNING ${COLUMNS}`
  }

  #suspectSql(consumer: number): string {
    const fits =
      this.#options.groupConcurrency === Infinity ? '' : `AND (grp IS NULL OR ${this.#groupRoom('s')} > 0)`
    const marks = this.#tasks.map(() => '?').join(', ')
    return `UPDATE outrider_queue_jobs SET ${START}, consumer = ${consumer}, started_at = ?
      WHERE id IN (SELECT id FROM outrider_queue_jobs AS s
        WHERE queue = ${this.#store.id} AND state > 1 AND state = 4 AND task IN (${marks}) ${fits}
        ORDER BY priority DESC, id LIMIT ${this.#limit(consumer)}) RETURNING ${COLUMNS}`
  }

  #groupRoom(alias: string): string {
    return `${this.#options.groupConcurrency} - (SELECT count(*) FROM outrider_queue_jobs AS r
      WHERE r.queue = ${this.#store.id} AND r.state = 1 AND r.grp IS NOT NULL AND r.grp = ${alias}.grp)`
  }

  /** The next jobs of all tasks: each task's are in the order of an index, which SQLite merges without sorting. */
  #candidates(consumer: number, columns = ''): string {
    const ofTask = `SELECT id, priority${columns} FROM outrider_queue_jobs
      WHERE queue = ${this.#store.id} AND task = ? AND state = 0`
    const all = this.#tasks.map(() => ofTask).join(' UNION ALL ')
    return `${all} ORDER BY priority DESC, id LIMIT ${this.#limit(consumer)}`
  }

  /** How many may be claimed: nothing when the queue is paused, or this consumer is taken for dead. Never negative, which would be no limit. */
  #limit(consumer: number): string {
    const { queueConcurrency, rateLimit } = this.#options
    const queue = this.#store.id
    const bounds = ['?']
    if (queueConcurrency !== Infinity) {
      bounds.push(
        `${queueConcurrency} - (SELECT count(*) FROM outrider_queue_jobs WHERE queue = ${queue} AND state = 1)`,
      )
    }
    if (rateLimit) {
      bounds.push(
        `${rateLimit.max} - (SELECT coalesce(sum(starts), 0) FROM outrider_queue_starts WHERE queue = ${queue})`,
      )
    }
    const room = bounds.length > 1 ? `max(0, min(${bounds.join(', ')}))` : '?'
    return `coalesce((SELECT ${room} FROM outrider_queues AS q, outrider_queue_consumers AS c
      WHERE q.id = ${queue} AND NOT q.paused AND c.id = ${consumer}), 0)`
  }
}

async function run(connection: Connection, sql: string, params: (string | number)[]): Promise<WriteResult> {
  return (await connection.execute(sql, params)) as WriteResult
}

function claimedBy({ rows = [] }: WriteResult): ClaimedJob[] {
  return rows as unknown[] as ClaimedJob[] // isSuspect is undefined, which is false
}

// RETURNING has no order
function inOrder(jobs: ClaimedJob[]): ClaimedJob[] {
  return jobs.toSorted((a, b) => b.priority - a.priority || a.id - b.id)
}
