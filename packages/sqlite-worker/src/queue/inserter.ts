import type { Connection } from '../connection.ts'
import type { WriteResult } from '../engine/results.ts'
import type { Value } from '../values.ts'
import type { Store } from './store.ts'

/** One job to insert: task, payload, priority, max_attempts, state, at, delay_ms, grp. */
export type NewJob = readonly [
  task: string,
  payload: string | null,
  priority: number,
  maxAttempts: number,
  state: number,
  at: number | null,
  delayMs: number | null,
  group: string | null,
]

const COLUMNS = 'task, payload, priority, max_attempts, state, at, delay_ms, grp'
const INSERT_ONE = `INSERT INTO outrider_queue_jobs (queue, added_at, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
/** Jobs that differ in their payloads only. */
const INSERT_ALIKE = `INSERT INTO outrider_queue_jobs (queue, added_at, ${COLUMNS})
  SELECT ?, ?, ?, value, ?, ?, ?, ?, ?, ? FROM json_each(?)`
const INSERT_MANY = `INSERT INTO outrider_queue_jobs (queue, added_at, ${COLUMNS})
  SELECT ?, ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
  FROM json_each(?)`

/** How many jobs, and about how many characters, one statement inserts. */
const MAX_JOBS = 1000
const MAX_CHARACTERS = 2 ** 20

interface Waiting {
  readonly job: NewJob
  readonly addedAt: number
  readonly resolve: (id: number) => void
  readonly reject: (error: unknown) => void
}

/** Inserts the jobs that are added in one tick with one statement, which costs a fraction of one for each. */
export class Inserter {
  readonly #store: Store
  readonly #onSent: (jobs: readonly NewJob[]) => void
  #waiting: Waiting[] = []
  #characters = 0

  /** `onSent` is called once jobs are on their way: whatever is sent from then on comes after them. */
  constructor(store: Store, onSent: (jobs: readonly NewJob[]) => void) {
    this.#store = store
    this.#onSent = onSent
  }

  /** Resolves to the job's id once it is committed. */
  insert(job: NewJob, addedAt: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) process.nextTick(() => this.#flush())
      this.#waiting.push({ job, addedAt, resolve, reject })
      this.#characters += job[1]?.length ?? 0
      if (this.#waiting.length >= MAX_JOBS || this.#characters >= MAX_CHARACTERS) this.#flush()
    })
  }

  #flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#characters = 0
    const [first] = waiting
    if (first) void this.#send(waiting, first.addedAt)
  }

  async #send(waiting: readonly Waiting[], addedAt: number): Promise<void> {
    const { worker, id } = this.#store
    try {
      const jobs = waiting.map(({ job }) => job)
      const inserting = worker.outside(() => insertAll(worker, id, jobs, addedAt))
      this.#onSent(jobs)
      const firstId = await inserting
      for (const [i, { resolve }] of waiting.entries()) resolve(firstId + i)
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }
}

/** Inserts jobs with one statement, all or nothing. Returns the first id; the others follow it without a gap. */
export async function insertAll(
  connection: Connection,
  queue: number,
  jobs: readonly NewJob[],
  addedAt: number,
): Promise<number> {
  const [first] = jobs
  if (!first) throw new Error('There is no job to insert')
  const inserted = await connection.execute(...insertion(queue, addedAt, first, jobs))
  return Number((inserted as WriteResult).lastInsertRowid) - jobs.length + 1
}

function insertion(
  ...[queue, addedAt, first, jobs]: [queue: number, addedAt: number, first: NewJob, jobs: readonly NewJob[]]
): [sql: string, params: Value[]] {
  if (jobs.length === 1) return [INSERT_ONE, [queue, addedAt, ...first]]
  if (!jobs.every((job) => isAlike(job, first))) return [INSERT_MANY, [queue, addedAt, JSON.stringify(jobs)]]
  const [task, , ...rest] = first
  const payloads = jobs.map(([, payload]) => payload)
  return [INSERT_ALIKE, [queue, addedAt, task, ...rest, JSON.stringify(payloads)]]
}

function isAlike(a: NewJob, b: NewJob): boolean {
  for (let i = 0; i < a.length; i++) if (i !== 1 && a[i] !== b[i]) return false
  return true
}
