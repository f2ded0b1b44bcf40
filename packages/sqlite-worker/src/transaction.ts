import { AsyncLocalStorage } from 'node:async_hooks'
import { checkOptions, type OptionChecks } from './check-options.ts'
import { Connection } from './connection.ts'
import type { Engine } from './engine/engine.ts'
import type { Lane } from './engine/lane.ts'
import { TransactionError, UsageError } from './errors.ts'
import { Control } from './protocol.ts'

export interface TransactionOptions {
  /**
   * When SQLite takes the write lock of the file: with the first statement (`'immediate'`), with the first write
   * (`'deferred'`, which can fail when another process wrote meanwhile), or shutting out readers in other journal
   * modes (`'exclusive'`). @default 'immediate'
   */
  mode?: 'deferred' | 'immediate' | 'exclusive'
  /**
   * How long it may hold the writer, in milliseconds, before it is rolled back. `Infinity` waits for ever.
   * @default the worker's transactionTimeoutMs
   */
  timeoutMs?: number
}

const optionChecks: OptionChecks<TransactionOptions> = {
  mode: {
    expected: "'deferred', 'immediate' or 'exclusive'",
    accepts: (value) => typeof value === 'string' && Object.hasOwn(beginOf, value),
  },
  timeoutMs: {
    expected: 'a number from 1 to 2147483647, or Infinity',
    accepts: (value) => typeof value === 'number' && (value === Infinity || (value >= 1 && value < 2 ** 31)),
  },
}

const beginOf = {
  deferred: Control.beginDeferred,
  immediate: Control.beginImmediate,
  exclusive: Control.beginExclusive,
} as const

/** Runs transactions of one worker and knows which one the current asynchronous context belongs to. */
export class Transactions {
  readonly #engine: Engine
  readonly #timeoutMs: number
  readonly #context = new AsyncLocalStorage<Transaction | undefined>()

  constructor(engine: Engine, timeoutMs: number) {
    this.#engine = engine
    this.#timeoutMs = timeoutMs
  }

  /** The transaction whose callback this asynchronous context belongs to, also when it has ended. */
  get current(): Transaction | undefined {
    return this.#context.getStore()
  }

  /** Whether this asynchronous context belongs to a transaction that has not ended. */
  get isInside(): boolean {
    return this.current !== undefined && !hasEnded(this.current)
  }

  /** Where a call of the worker itself goes from here. @throws {TransactionError} when its transaction has ended. */
  currentLane(): Lane {
    const tx = this.#context.getStore()
    return tx ? laneOf(tx) : this.#engine.root
  }

  /** Runs a function as if it had been called outside any transaction. */
  outside<T>(fn: () => T): T {
    return this.#context.run(undefined, fn)
  }

  async run<T>(fn: TransactionCallback<T>, options: TransactionOptions, parent?: Transaction): Promise<T> {
    if (typeof fn !== 'function') {
      throw new UsageError(
        'ERR_INVALID_ARGUMENT',
        `Expected a function to run in the transaction, got ${typeof fn}`,
      )
    }
    checkOptions(options, optionChecks)
    if (parent && options.mode !== undefined) {
      throw new UsageError(
        'ERR_INVALID_ARGUMENT',
        'Expected no mode for a nested transaction: it is a savepoint',
      )
    }
    const begin = parent ? Control.savepoint : beginOf[options.mode ?? 'immediate']
    const timeoutMs = options.timeoutMs ?? (parent ? Infinity : this.#timeoutMs)
    const lane = this.#engine.open(parent ? laneOf(parent) : this.#engine.root, begin)
    await lane.granted
    const stopTimer = this.#startTimer(lane, timeoutMs)
    try {
      const tx = new Transaction(this.#engine, this, lane)
      const result = await Promise.race([this.#context.run(tx, async () => fn(tx)), lane.aborted])
      await Promise.race([lane.quiet(), lane.aborted]) // calls that fn did not await belong to it all the same
      const unobserved = lane.takeUnobservedError()
      if (unobserved) throw unobserved.error
      await this.#end(lane, 'commit')
      return result
    } catch (error) {
      await Promise.race([lane.quiet(), lane.aborted]).catch(() => {}) // what it started ends within it, as above
      await this.#end(lane, 'rollback')
      throw error
    } finally {
      stopTimer()
    }
  }

  async #end(lane: Lane, how: 'commit' | 'rollback'): Promise<void> {
    const token = lane.end(how)
    this.#engine.schedule()
    if (how === 'commit') await token
    else await token?.catch(() => {}) // it is rolled back by then: SQLite did so itself, or the thread is gone
  }

  /** Counts from when the lane has the writer to itself; what other callers sent before is not its fault. */
  #startTimer(lane: Lane, timeoutMs: number): () => void {
    if (timeoutMs === Infinity) return () => {}
    let timer: NodeJS.Timeout | undefined
    let isStopped = false
    void lane.held.then(() => {
      if (!isStopped) timer = setTimeout(() => this.#expire(lane, timeoutMs), timeoutMs).unref()
    })
    return () => {
      isStopped = true
      clearTimeout(timer)
    }
  }

  #expire(lane: Lane, timeoutMs: number): void {
    lane.abort(
      new TransactionError(
        'ERR_TRANSACTION_TIMEOUT',
        `The transaction was rolled back: it had not ended ${timeoutMs} ms after it got the writer. ` +
          'Does its callback wait for a call made outside of it, which waits for this transaction?',
      ),
    )
    this.#engine.schedule()
  }
}

export type TransactionCallback<T> = (tx: Transaction) => T | Promise<T>

let laneOf: (tx: Transaction) => Lane
let hasEnded: (tx: Transaction) => boolean

/** One transaction: statements that are committed together, isolated from all others. Made by `transaction()`. */
export class Transaction extends Connection {
  readonly #transactions: Transactions
  readonly #lane: Lane

  static {
    laneOf = (tx) => tx.#usableLane()
    hasEnded = (tx) => tx.#lane.ended
  }

  /** For this package only: call `worker.transaction()`. */
  constructor(engine: Engine, transactions: Transactions, lane: Lane) {
    super(engine, () => this.#usableLane())
    this.#transactions = transactions
    this.#lane = lane
  }

  /**
   * Runs a nested transaction, a savepoint: when its callback throws, only its own statements are undone. Nested
   * transactions of one transaction run one after another. Rejects as `worker.transaction()` does.
   */
  async transaction<T>(fn: TransactionCallback<T>): Promise<T> {
    return this.#transactions.run(fn, {}, this)
  }

  #usableLane(): Lane {
    if (this.#lane.ended) {
      throw new TransactionError(
        'ERR_TRANSACTION_ENDED',
        'This transaction has ended; its statements can no longer be run',
      )
    }
    const current = this.#transactions.current
    if (current && current !== this && current.#isWithin(this)) {
      throw new TransactionError(
        'ERR_TRANSACTION_NESTED',
        'A nested transaction is open here: use the tx that its callback got, or the outer one after it ended',
      )
    }
    return this.#lane
  }

  #isWithin(outer: Transaction): boolean {
    for (let lane = this.#lane.parent; lane; lane = lane.parent)
      if (lane === outer.#lane) return !this.#lane.ended
    return false
  }
}
