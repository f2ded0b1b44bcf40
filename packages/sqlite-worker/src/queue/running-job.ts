import { UsageError } from '../errors.ts'
import type { TransactionCallback } from '../transaction.ts'
import { LeaseLostError } from './errors.ts'
import { KEEP_KEY } from './dedupe.ts'
import type { ClaimedJob } from './claims.ts'
import type { JobContext } from './job-context.ts'
import { toJsonText } from './json.ts'
import type { Store } from './store.ts'

const IS_OURS = 'id = ? AND fence = ? AND state = 1'
const PROGRESS = `UPDATE outrider_queue_jobs SET progress = ? WHERE ${IS_OURS}`
const CHECK = `SELECT 1 AS ours FROM outrider_queue_jobs WHERE ${IS_OURS}`
const COMPLETE = `UPDATE outrider_queue_jobs SET state = 5, at = ?, result = ?, ${KEEP_KEY} WHERE ${IS_OURS}`

/** A job while its handler runs: the context that the handler gets. */
export class RunningJob implements JobContext {
  readonly id: number
  readonly task: string
  readonly attempt: number
  readonly maxAttempts: number
  readonly fence: number
  readonly group: string | undefined
  readonly scheduledFor: Date | undefined
  readonly isSuspect: boolean
  /** When its handler was called, on the clock of performance.now(). */
  startedAt = 0
  timer: NodeJS.Timeout | undefined
  /** Whether its outcome is decided, so that what the handler does from now on changes nothing. */
  isOver = false
  /** Whether the handler completed it in a transaction of its own. */
  isCompleted = false
  readonly #store: Store
  #controller: AbortController | undefined

  constructor(store: Store, claimed: ClaimedJob) {
    this.#store = store
    this.id = claimed.id
    this.task = claimed.task
    this.attempt = claimed.attempts
    this.maxAttempts = claimed.max_attempts
    this.fence = claimed.fence
    this.group = claimed.grp ?? undefined
    this.scheduledFor = claimed.slot === null ? undefined : new Date(claimed.slot)
    this.isSuspect = claimed.isSuspect
  }

  // made when first asked for: most handlers never look
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  /** Tells the handler that its work is not wanted any more. */
  abort(reason: unknown): void {
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }

  async progress(value: unknown): Promise<void> {
    const { changes } = await this.#store.write(PROGRESS, [
      toJsonText(value, 'progress'),
      this.id,
      this.fence,
    ])
    if (changes === 0) throw this.#lost()
  }

  async transaction<T>(fn: TransactionCallback<T>): Promise<T> {
    return this.#store.worker.transaction(async (tx) => {
      const check = tx.execute(CHECK, [this.id, this.fence])
      const result = await fn(tx)
      if ((await check).length === 0) throw this.#lost()
      return result
    })
  }

  async complete<T>(fn: TransactionCallback<T>): Promise<T> {
    if (this.#store.worker.isInTransaction) {
      throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected complete() to be called outside of transactions')
    }
    const result = await this.transaction(async (tx) => {
      const value = await fn(tx)
      const now = this.#store.now()
      const text = toJsonText(value, 'result')
      const { changes } = await tx.execute(COMPLETE, [now, text, now, this.id, this.fence])
      if (changes === 0) throw this.#lost()
      return value
    })
    this.isCompleted = true
    return result
  }

  #lost(): LeaseLostError {
    const error = new LeaseLostError(this.id)
    if (!this.isCompleted) this.abort(error)
    return error
  }
}
