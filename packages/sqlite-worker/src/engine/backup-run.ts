import { fromFailure } from '../errors.ts'
import type { BackupProgressMessage } from '../protocol.ts'

/** Told how far a copy is, in pages. */
export type BackupProgress = (progress: {
  readonly totalPages: number
  readonly remainingPages: number
}) => void

/** A copy that is under way in a thread. */
export class BackupRun {
  readonly #progress: BackupProgress
  /** Resolves when the copy is whole; rejects with what stopped it, or what `progress` threw. */
  readonly done: Promise<void>
  #settle!: { resolve(): void; reject(error: unknown): void }

  constructor(progress: BackupProgress) {
    this.#progress = progress
    this.done = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    this.done.catch(() => {})
  }

  receive({ totalPages, remainingPages, isDone, failure }: BackupProgressMessage): void {
    if (failure) return this.fail(fromFailure(failure, undefined))
    try {
      this.#progress({ totalPages, remainingPages })
    } catch (error) {
      this.fail(error)
    }
    if (isDone) this.#settle.resolve()
  }

  fail(error: unknown): void {
    this.#settle.reject(error)
  }
}
