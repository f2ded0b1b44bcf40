import { AsyncResource } from 'node:async_hooks'
import { Connection } from './connection.ts'
import { Engine } from './engine/engine.ts'
import { TransactionError, UsageError } from './errors.ts'
import { resolveSqliteWorkerOptions, type SqliteWorkerOptions } from './options.ts'
import { Transactions, type TransactionCallback, type TransactionOptions } from './transaction.ts'

/**
 * One SQLite file behind a thread of its own: calls return at once, run in order, and share commits.
 *
 * @example
 * const worker = new SqliteWorker('analytics.db')
 * await worker.execute('CREATE TABLE IF NOT EXISTS page_views (url TEXT, at TEXT)')
 * await worker.insert('page_views', { url: '/', at: new Date() })
 * await worker.close()
 */
export class SqliteWorker extends Connection implements AsyncDisposable {
  readonly #engine: Engine
  readonly #transactions: Transactions

  /**
   * Opens (and creates) a file, or `':memory:'`. Returns at once; a file that cannot be opened makes every call reject
   * with {@link OpenError}.
   * @throws {InvalidOptionError} when an option is unknown or does not fit. @throws {UsageError} for a file that is no path.
   */
  constructor(file: string, options: SqliteWorkerOptions = {}) {
    if (typeof file !== 'string' || file === '') {
      throw new UsageError('ERR_INVALID_ARGUMENT', `Expected file to be a non-empty path, got ${typeof file}`)
    }
    const resolved = resolveSqliteWorkerOptions(options)
    // the handler's own calls belong to no transaction, whoever's error it is told of
    const onUnobservedError = AsyncResource.bind(resolved.onUnobservedError)
    const engine = new Engine(file, { ...resolved, onUnobservedError })
    const transactions = new Transactions(engine, resolved.transactionTimeoutMs)
    super(engine, () => transactions.currentLane())
    this.#engine = engine
    this.#transactions = transactions
  }

  /**
   * Runs a callback whose statements are committed together when it resolves, and undone when it throws or when a
   * statement it did not await failed. Use the `tx` it gets. Calls on this worker made inside the callback belong to
   * the transaction too; calls from anywhere else wait until it ends and are never part of it.
   *
   * Inside another transaction's callback it runs as a nested one. Transactions run one after another, in order.
   *
   * Rejects with what the callback threw, with the error of BEGIN or COMMIT, or with {@link TransactionError} after
   * `timeoutMs`. Whenever it rejects, nothing was committed, except after a {@link WorkerDiedError} whose
   * `maybeCommitted` is true.
   */
  async transaction<T>(fn: TransactionCallback<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#transactions.run(fn, options, this.#transactions.current)
  }

  /**
   * Runs a function outside of the transaction whose callback calls it: its calls on this worker wait until that
   * transaction has ended, so do not await them within it.
   */
  outside<T>(fn: () => T): T {
    return this.#transactions.outside(fn)
  }

  /**
   * Waits for everything queued so far and for open transactions, then closes the file and ends the thread. Later
   * calls reject with {@link ClosedError}. Closing twice is one closing.
   */
  async close(): Promise<void> {
    if (this.#transactions.isInside) {
      throw new TransactionError(
        'ERR_TRANSACTION_NESTED',
        'close() inside a transaction would wait for itself',
      )
    }
    return this.#engine.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
