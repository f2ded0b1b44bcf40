import Database from 'better-sqlite3'
import type { SharedState } from './shared.ts'

/**
 * How long SQLite itself waits for a lock, in milliseconds. It polls at set times, so that waiting processes stay in
 * step; beyond this, {@link BusyRetry} waits for random times.
 */
export const NATIVE_WAIT_MS = 10
const MAX_PAUSE_MS = 25

/** Tries again what found the file locked by another process, as long as the batch may wait. */
export class BusyRetry {
  readonly #timeoutMs: number
  readonly #shared: SharedState
  #deadline = 0

  constructor(timeoutMs: number, shared: SharedState) {
    this.#timeoutMs = timeoutMs
    this.#shared = shared
  }

  /** Starts the clock for a batch: its operations were sent together, so they wait together. */
  start(): void {
    this.#deadline = performance.now() + this.#timeoutMs
  }

  /** Runs something that has changed nothing when it finds a lock. @throws what it throws at last. */
  run<T>(attempt: () => T): T {
    for (;;) {
      try {
        return attempt()
      } catch (error) {
        if (!isBusy(error) || this.#shared.isStopped || performance.now() >= this.#deadline) throw error
        this.#shared.sleep(1 + Math.random() * MAX_PAUSE_MS)
      }
    }
  }
}

// a snapshot that is too old stays so: its transaction has to begin again
export function isBusy(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError &&
    error.code.startsWith('SQLITE_BUSY') &&
    error.code !== 'SQLITE_BUSY_SNAPSHOT'
  )
}
