import type { Batch, Executor, Row, Written } from './executor.ts'
import type { Steps } from './steps.ts'

/** A row that exists, as it is now. */
export interface Existing {
  readonly row: Row
  readonly isUpdated: boolean
}

/**
 * Upserts each row on its own, and creates those that do not exist together.
 *
 * @param update updates the row with this natural key if it differs; undefined when there is none
 */
export function* upsertOneByOne(
  executor: Executor,
  batch: Batch,
  update: (row: Row) => Steps<Existing | undefined>,
): Steps<Written> {
  const counts = { created: 0, updated: 0, unchanged: 0 }
  const rows: Row[] = []
  const missing: Row[] = []
  const places: number[] = []
  for (const [index, row] of batch.rows.entries()) {
    const existing = yield* update(row)
    if (existing) {
      rows[index] = existing.row
      counts[existing.isUpdated ? 'updated' : 'unchanged'] += 1
    } else {
      missing.push(row)
      places.push(index)
    }
  }
  if (missing.length > 0) {
    const created = yield* executor.insert({ ...batch, rows: missing }, 'error')
    for (const [at, row] of created.rows.entries()) rows[places[at] ?? at] = row
    counts.created = missing.length
  }
  return { rows, counts }
}
