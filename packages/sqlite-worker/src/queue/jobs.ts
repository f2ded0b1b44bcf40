import { JOB_COLUMNS, stateName, toJob, type Job, type JobCounts, type JobRow } from './job.ts'
import type { Store } from './store.ts'

const FIND = `SELECT ${JOB_COLUMNS} FROM outrider_queue_jobs WHERE id = ? AND queue = ?`
const REMOVE = 'DELETE FROM outrider_queue_jobs WHERE id = ? AND queue = ? AND state <> 1'
const COUNT = `SELECT 0 AS state, count(*) AS jobs FROM outrider_queue_jobs WHERE queue = ? AND state = 0
  UNION ALL SELECT 1, count(*) FROM outrider_queue_jobs WHERE queue = ? AND state = 1
  UNION ALL SELECT state, count(*) FROM outrider_queue_jobs WHERE queue = ? AND state > 1 GROUP BY state`
const SET_PAUSED = 'UPDATE outrider_queues SET paused = ? WHERE id = ?'
const PAUSED = 'SELECT paused FROM outrider_queues WHERE id = ?'

export async function findJob(store: Store, id: number): Promise<Job | undefined> {
  const [row] = await store.read<JobRow>(FIND, [id, store.id])
  return row && toJob(row)
}

export async function removeJob(store: Store, id: number): Promise<boolean> {
  const { changes } = await store.write(REMOVE, [id, store.id])
  return changes > 0
}

export async function countJobs(store: Store): Promise<JobCounts> {
  const rows = await store.read<{ state: number; jobs: number }>(COUNT, [store.id, store.id, store.id])
  const counts: JobCounts = { pending: 0, delayed: 0, running: 0, completed: 0, dead: 0 }
  for (const { state, jobs } of rows) counts[stateName(state)] += jobs
  return counts
}

export async function setPaused(store: Store, paused: boolean): Promise<void> {
  await store.write(SET_PAUSED, [paused, store.id])
}

export async function isPaused(store: Store): Promise<boolean> {
  const [row] = await store.read<{ paused: number }>(PAUSED, [store.id])
  return row?.paused === 1
}
