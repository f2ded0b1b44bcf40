import { State } from './state.ts'

/** A failure as it is stored with its job. */
export interface JobError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/**
 * `pending`: waits for a consumer; `delayed`: is to run later; `running`: a consumer has it; `completed`: its handler
 * resolved; `dead`: it failed for good.
 */
export type JobState = 'pending' | 'delayed' | 'running' | 'completed' | 'dead'

/** How many jobs of a queue are in which state. */
export type JobCounts = Record<JobState, number>

/** A job as it stood when it was read. */
export interface Job {
  readonly id: number
  readonly task: string
  readonly state: JobState
  readonly payload: unknown
  readonly priority: number
  readonly group: string | undefined
  /** How many attempts have begun since it was added or requeued. */
  readonly attempts: number
  readonly maxAttempts: number
  readonly addedAt: Date
  /** When it is to run; for a delayed job only. */
  readonly runAt: Date | undefined
  /** When its last attempt began. */
  readonly startedAt: Date | undefined
  /** When it was completed or died. */
  readonly endedAt: Date | undefined
  /** The name of the schedule that added it. */
  readonly schedule: string | undefined
  /** The time at which its schedule was due. */
  readonly scheduledFor: Date | undefined
  /** What its handler last reported; gone when a new attempt begins. */
  readonly progress: unknown
  /** What its handler returned; undefined before the end. */
  readonly result: unknown
  /** Its last failure, also when a later attempt succeeded. */
  readonly error: JobError | undefined
}

/** The columns that {@link toJob} needs. */
export const JOB_COLUMNS =
  'id, task, state, payload, priority, grp, attempts, max_attempts, added_at, at, started_at, schedule, slot, progress, result, error'

export interface JobRow {
  readonly id: number
  readonly task: string
  readonly state: number
  readonly payload: string | null
  readonly priority: number
  readonly grp: string | null
  readonly attempts: number
  readonly max_attempts: number
  readonly added_at: number
  readonly at: number | null
  readonly started_at: number | null
  readonly schedule: string | null
  readonly slot: number | null
  readonly progress: string | null
  readonly result: string | null
  readonly error: string | null
}

export function toJob(row: JobRow): Job {
  const state = stateName(row.state)
  return {
    id: row.id,
    task: row.task,
    state,
    payload: fromJson(row.payload),
    priority: row.priority,
    group: row.grp ?? undefined,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    addedAt: new Date(row.added_at),
    runAt: state === 'delayed' ? toDate(row.at) : undefined,
    startedAt: toDate(row.started_at),
    endedAt: state === 'completed' || state === 'dead' ? toDate(row.at) : undefined,
    schedule: row.schedule ?? undefined,
    scheduledFor: toDate(row.slot),
    progress: fromJson(row.progress),
    result: fromJson(row.result),
    error: toError(row.error),
  }
}

export function stateName(state: number): JobState {
  switch (state) {
    case State.running:
      return 'running'
    case State.delayed:
      return 'delayed'
    case State.completed:
      return 'completed'
    case State.dead:
      return 'dead'
    default:
      return 'pending'
  }
}

/** What JSON text says, undefined for none. Text that is no JSON, which only others can have written, stays text. */
export function fromJson(text: string | null): unknown {
  if (text === null) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

export function toError(text: string | null): JobError | undefined {
  return text === null ? undefined : (fromJson(text) as JobError)
}

function toDate(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms)
}
