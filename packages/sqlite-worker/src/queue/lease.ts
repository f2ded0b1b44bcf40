import type { Store } from './store.ts'

const REGISTER = 'INSERT INTO outrider_queue_consumers (queue, lease_ms, beat) VALUES (?, ?, 0)'
const BEAT = 'UPDATE outrider_queue_consumers SET beat = beat + 1 WHERE id = ?'
const SEEN = 'UPDATE outrider_queues SET seen_at = ? WHERE id = ?'
const OTHERS = 'SELECT id, beat, lease_ms FROM outrider_queue_consumers WHERE queue = ? AND id <> ?'
const REMOVE_STILL = 'DELETE FROM outrider_queue_consumers WHERE id = ? AND beat = ?'
const REMOVE = 'DELETE FROM outrider_queue_consumers WHERE id = ?'
const LOST = JSON.stringify({
  name: 'LeaseLostError',
  message: 'The process that ran the job gave no sign of life',
})
/** Running jobs without a consumer. They count as suspect: one of them may have killed it. */
const TAKE_BACK = `UPDATE outrider_queue_jobs SET state = iif(attempts >= max_attempts, 6, 4), at = ?, error = ?,
    dedupe_key = iif(attempts < max_attempts OR dedupe_until > ?, dedupe_key, NULL)
  WHERE queue = ? AND state = 1 AND consumer NOT IN (SELECT id FROM outrider_queue_consumers) RETURNING id, state`

interface Seen {
  beat: number
  stillForMs: number
}

/**
 * The hold of one consumer on the jobs it claimed. No clock is compared with another, so no clock can end it early or
 * late: a consumer counts up its `beat` in the database, and is dead when others saw the same number for `lease_ms`,
 * each on its own monotonic clock.
 */
export class Lease {
  readonly #store: Store
  readonly #leaseMs: number
  readonly #others = new Map<number, Seen>()
  #id = 0
  #lastLookMs = 0
  /** Since when the others can have seen no newer beat. */
  #beatSentMs = 0

  constructor(store: Store, leaseMs: number) {
    this.#store = store
    this.#leaseMs = leaseMs
  }

  /** The consumer's number; 0 before it is registered. */
  get id(): number {
    return this.#id
  }

  get beatIntervalMs(): number {
    return this.#leaseMs / 3
  }

  /** Whether its sign of life is overdue, so that others may have taken its jobs. */
  get isOverdue(): boolean {
    return performance.now() - this.#beatSentMs > this.#leaseMs
  }

  /** Begins a new hold, of a new number. */
  async acquire(): Promise<void> {
    const sentMs = performance.now()
    const { lastInsertRowid } = await this.#store.write(REGISTER, [this.#store.id, Math.ceil(this.#leaseMs)])
    this.#id = Number(lastInsertRowid)
    this.#beatSentMs = sentMs
  }

  /** Gives a sign of life. Resolves to false when others have taken its jobs already. */
  async beat(): Promise<boolean> {
    const sentMs = performance.now()
    const [{ changes }] = await Promise.all([
      this.#store.write(BEAT, [this.#id]),
      this.#store.write(SEEN, [this.#store.now(), this.#store.id]),
    ])
    if (changes > 0) this.#beatSentMs = sentMs
    return changes > 0
  }

  /**
   * Takes the jobs of dead consumers back. Resolves to those that are dead now and those that are to run again.
   */
  async sweep(): Promise<{ dead: number[]; again: number[] }> {
    for (const { id, beat } of await this.#findStill()) {
      await this.#store.write(REMOVE_STILL, [id, beat]) // unless it gave a sign just now
      this.#others.delete(id)
    }
    const now = this.#store.now()
    const { rows = [] } = await this.#store.write(TAKE_BACK, [now, LOST, now, this.#store.id])
    const idsOf = (state: number) => rows.filter((row) => row.state === state).map((row) => Number(row.id))
    return { dead: idsOf(6), again: idsOf(4) }
  }

  async release(): Promise<void> {
    await this.#store.write(REMOVE, [this.#id])
  }

  async #findStill(): Promise<{ id: number; beat: number }[]> {
    const rows = await this.#store.look<{ id: number; beat: number; lease_ms: number }>(OTHERS, [
      this.#store.id,
      this.#id,
    ])
    // a look after a long sleep counts for one interval only: the others may have slept as long, with all the machine
    const sinceMs = Math.min(performance.now() - this.#lastLookMs, 1.5 * this.beatIntervalMs)
    this.#lastLookMs = performance.now()
    const still = rows.filter(({ id, beat, lease_ms }) => this.#stillForMs(id, beat, sinceMs) >= lease_ms)
    const present = new Set(rows.map(({ id }) => id))
    for (const id of this.#others.keys()) if (!present.has(id)) this.#others.delete(id)
    return still
  }

  #stillForMs(id: number, beat: number, sinceMs: number): number {
    const seen = this.#others.get(id)
    if (seen?.beat === beat) return (seen.stillForMs += sinceMs)
    this.#others.set(id, { beat, stillForMs: 0 })
    return 0
  }
}
