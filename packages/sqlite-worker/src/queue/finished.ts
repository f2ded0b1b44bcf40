import { KEEP_KEY } from './dedupe.ts'
import type { Store } from './store.ts'

const SET = `UPDATE outrider_queue_jobs SET state = 5, at = ?, ${KEEP_KEY}`
const OURS = 'outrider_queue_jobs.id = value ->> 0 AND fence = value ->> 1 AND state = 1'
const COMPLETE_ONE = `${SET}, result = ? WHERE id = ? AND fence = ? AND state = 1`
const COMPLETE_MANY = `${SET} FROM json_each(?) WHERE ${OURS}`
const COMPLETE_WITH_RESULTS = `${SET}, result = value ->> 2 FROM json_each(?) WHERE ${OURS}`
const COMPLETED = `SELECT outrider_queue_jobs.id AS id FROM json_each(?), outrider_queue_jobs
  WHERE outrider_queue_jobs.id = value ->> 0 AND fence = value ->> 1 AND state = 5`

/** A job that its handler has done: id, fence, and its result as JSON text. */
export type FinishedJob = readonly [id: number, fence: number, result: string | null]

/** Completes jobs with one statement. Resolves to the ids of those that were refused: they belong to another by now. */
export async function completeAll(store: Store, jobs: readonly FinishedJob[]): Promise<number[]> {
  const now = store.now()
  const [only] = jobs
  if (jobs.length === 1 && only) {
    const [id, fence, result] = only
    const { changes } = await store.write(COMPLETE_ONE, [now, now, result, id, fence])
    return changes === 1 ? [] : [id]
  }
  const hasResults = jobs.some(([, , result]) => result !== null)
  const { changes } = await store.write(hasResults ? COMPLETE_WITH_RESULTS : COMPLETE_MANY, [
    now,
    now,
    JSON.stringify(hasResults ? jobs : jobs.map(([id, fence]) => [id, fence])),
  ])
  if (changes === jobs.length) return []
  const completed = await store.look<{ id: number }>(COMPLETED, [JSON.stringify(jobs)])
  const ids = new Set(completed.map(({ id }) => id))
  return jobs.map(([id]) => id).filter((id) => !ids.has(id))
}
