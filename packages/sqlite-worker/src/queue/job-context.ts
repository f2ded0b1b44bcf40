import type { TransactionCallback } from '../transaction.ts'

/** What a handler knows of its job, and may do with it. */
export interface JobContext {
  readonly id: number
  readonly task: string
  /** Which attempt this is, 1 for the first. */
  readonly attempt: number
  readonly maxAttempts: number
  readonly group: string | undefined
  /** The time at which the job's schedule was due; undefined for a job that was added otherwise. */
  readonly scheduledFor: Date | undefined
  /**
   * Aborted when the handler's work is no longer wanted: after `timeoutMs` ({@link JobTimeoutError}), when the lease
   * was lost ({@link LeaseLostError}), and when the consumer is closed and does not wait longer ({@link QueueClosedError}).
   */
  readonly signal: AbortSignal
  /** Stores how far the job is: anything that JSON holds. Rejects with {@link LeaseLostError} when it is not this handler's any more. */
  progress(value: unknown): Promise<void>
  /**
   * Runs a transaction of the queue's worker that is committed only if the job is still this handler's then. Rejects
   * as `worker.transaction()` does, and with {@link LeaseLostError}, in both cases with nothing committed.
   */
  transaction<T>(fn: TransactionCallback<T>): Promise<T>
  /**
   * The same, and the transaction also completes the job: what `fn` resolves to is its result, and what the handler
   * returns later is ignored. The effects that `fn` has on the database happen exactly once, whatever dies when.
   */
  complete<T>(fn: TransactionCallback<T>): Promise<T>
}
