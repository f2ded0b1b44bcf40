import type { SqliteWorker } from '../sqlite-worker.ts'

/** Who wants to know at once what this process does to a queue. Called in the context of whoever did it; must not throw. */
export interface Listener {
  /** Jobs were added, or will be when a transaction that is under way commits. */
  added?(): void
  /** A job is due at this time. */
  due?(at: number): void
  /** Jobs ended, completed or dead. */
  ended?(ids: readonly number[]): void
}

/** Passes word between all handles of one queue on one worker. */
export class Hub {
  readonly #listeners = new Set<Listener>()

  /** Returns how to leave. */
  join(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  added(): void {
    for (const listener of this.#listeners) listener.added?.()
  }

  due(at: number): void {
    for (const listener of this.#listeners) listener.due?.(at)
  }

  ended(ids: readonly number[]): void {
    for (const listener of this.#listeners) listener.ended?.(ids)
  }
}

const hubs = new WeakMap<SqliteWorker, Map<string, Hub>>()

export function hubOf(worker: SqliteWorker, queue: string): Hub {
  let ofWorker = hubs.get(worker)
  if (!ofWorker) hubs.set(worker, (ofWorker = new Map<string, Hub>()))
  let hub = ofWorker.get(queue)
  if (!hub) ofWorker.set(queue, (hub = new Hub()))
  return hub
}
