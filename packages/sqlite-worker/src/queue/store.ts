import type { WriteResult } from '../engine/results.ts'
import { isSqliteWorkerError, UsageError } from '../errors.ts'
import type { SqliteWorker } from '../sqlite-worker.ts'
import type { TransactionCallback } from '../transaction.ts'
import type { Params } from '../values.ts'
import type { ResolvedQueueOptions } from './options.ts'
import { setUp } from './tables.ts'

/** The tables of one queue, reached outside of whatever transaction the calling code runs in. */
export class Store {
  readonly worker: SqliteWorker
  readonly options: ResolvedQueueOptions
  #ready: Promise<void> | undefined
  #id: number | undefined
  /** The newest time that was told, or written down by others before this queue was opened. */
  #newestNow = -Infinity

  /** @throws {UsageError} inside a transaction, where calls would wait for tables that are made after its end. */
  constructor(worker: SqliteWorker, options: ResolvedQueueOptions) {
    if (worker.isInTransaction) {
      throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected a queue to be created outside of transactions')
    }
    this.worker = worker
    this.options = options
    this.ready.catch(() => {}) // each call that needs the tables reports it
  }

  /** Resolves once the tables are there; rejects when they cannot be used now. Asked again after that, it tries again. */
  get ready(): Promise<void> {
    this.#ready ??= this.#open().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  async #open(): Promise<void> {
    const { id, seenAt } = await this.transaction((tx) => setUp(tx, this.options.name))
    this.#id = id
    this.#newestNow = Math.max(this.#newestNow, seenAt ?? -Infinity)
  }

  get isReady(): boolean {
    return this.#id !== undefined
  }

  /** The queue's number in its tables; only once it is ready. */
  get id(): number {
    if (this.#id === undefined) throw new Error('The queue was used before it was ready')
    return this.#id
  }

  now(): number {
    const now = Math.floor(this.options.now())
    if (now > this.#newestNow) this.#newestNow = now
    return now
  }

  /** Calls `rewind` when the clock was set back, however short it was ahead. If that fails, the next call does so again. */
  async onClockSetBack(rewind: () => Promise<void>): Promise<void> {
    const newest = this.#newestNow
    const now = this.now()
    if (now >= newest) return
    this.#newestNow = now
    try {
      await rewind()
    } catch (error) {
      this.#newestNow = Math.max(this.#newestNow, newest)
      throw error
    }
  }

  /** Runs a statement that reads. */
  async read<TRow extends object>(sql: string, params?: Params): Promise<TRow[]> {
    return this.worker.outside(() => this.worker.execute<TRow>(sql, params))
  }

  /** Runs a short statement that reads, behind all writes so far: cheaper than a thread for reading only. */
  async look<TRow extends object>(sql: string, params?: Params): Promise<TRow[]> {
    return this.worker.outside(() => this.worker.execute<TRow>(sql, params, { consistency: 'writer' }))
  }

  /** Runs an INSERT, UPDATE or DELETE. */
  async write(sql: string, params?: Params): Promise<WriteResult> {
    return (await this.worker.outside(() => this.worker.execute(sql, params))) as WriteResult
  }

  async transaction<T>(fn: TransactionCallback<T>): Promise<T> {
    return this.worker.outside(() => this.worker.transaction(fn))
  }

  /** Whether an error says that the worker will never answer again: it is closed, or its thread stays down. */
  async isGone(error: unknown): Promise<boolean> {
    if (!isSqliteWorkerError(error) || !['ERR_CLOSED', 'ERR_OPEN', 'ERR_WORKER_DIED'].includes(error.code))
      return false
    if (error.code === 'ERR_CLOSED') return true
    try {
      await this.look('SELECT 1') // waits for a thread that is being started again
      return false
    } catch {
      return true
    }
  }
}
