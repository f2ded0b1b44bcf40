import type { RetentionLimit } from './options.ts'
import { State } from './state.ts'
import type { Store } from './store.ts'

const BATCH = 1000
const OF_STATE = 'queue = ? AND state > 1 AND state = ?'
const REMOVE_OLD = `DELETE FROM outrider_queue_jobs WHERE id IN (
  SELECT id FROM outrider_queue_jobs WHERE ${OF_STATE} AND at < ? ORDER BY at LIMIT ${BATCH})`
/** The oldest of those beyond the newest `count`. */
const REMOVE_EXCESS = `DELETE FROM outrider_queue_jobs WHERE id IN (
  SELECT id FROM outrider_queue_jobs WHERE ${OF_STATE} ORDER BY at
  LIMIT min(${BATCH}, max(0, (SELECT count(*) FROM outrider_queue_jobs WHERE ${OF_STATE}) - ?)))`

/** Removes ended jobs beyond what is to be kept, in small steps, so that other writes come in between. */
export async function removeExpired(store: Store, isWanted: () => boolean): Promise<void> {
  const { completed, dead } = store.options.retention
  await removeOf(store, State.completed, completed, isWanted)
  await removeOf(store, State.dead, dead, isWanted)
}

async function removeOf(
  store: Store,
  state: number,
  { ageMs, count }: Required<RetentionLimit>,
  isWanted: () => boolean,
): Promise<void> {
  const queue = store.id
  if (ageMs !== Infinity) {
    await repeat(store, REMOVE_OLD, () => [queue, state, store.now() - ageMs], isWanted)
  }
  if (count !== Infinity) {
    await repeat(store, REMOVE_EXCESS, () => [queue, state, queue, state, count], isWanted)
  }
}

async function repeat(
  store: Store,
  sql: string,
  params: () => number[],
  isWanted: () => boolean,
): Promise<void> {
  while (isWanted()) {
    const { changes } = await store.write(sql, params())
    if (changes < BATCH) return
  }
}
