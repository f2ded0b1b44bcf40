import type { WriteResult } from '../engine/results.ts'
import type { Connection } from '../connection.ts'
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
  const [only] = jobs
  const isOne = jobs.length === 1 && only !== undefined
  const inserted = (await (isOne
    ? connection.execute(INSERT_ONE, [queue, addedAt, ...only])
    : connection.execute(INSERT_MANY, [queue, addedAt, JSON.stringify(jobs)]))) as WriteResult
  return Number(inserted.lastInsertRowid) - jobs.length + 1
}
