import { AsyncLocalStorage } from 'node:async_hooks'
import { channels } from './engine/diagnostics.ts'
import { onAbort } from './engine/on-abort.ts'
import type { Engine } from './engine/engine.ts'
import type { Lane } from './engine/lane.ts'
import { AbortedError, StatementError, TransactionError, UsageError } from './errors.ts'
import { Control } from './protocol.ts'
import {
  hasEnded,
  laneOf,
  OpenTransaction,
  Transaction,
  type Nesting,
  type TransactionCallback,
} from './transaction.ts'
import {
  resolveTransactionOptions,
  type ResolvedTransactionOptions,
  type TransactionOptions,
} from './transaction-options.ts'

const beginOf = {
  deferred: Control.beginDeferred,
  immediate: Control.beginImmediate,
  exclusive: Control.beginExclusive,
} as const

/** Runs transactions of one worker and knows which one the current asynchronous context belongs to. */
export class Transactions implements Nesting {
  readonly #engine: Engine
  readonly #context = new AsyncLocalStorage<Transaction | undefined>()

  constructor(engine: Engine) {
    this.#engine = engine
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
    const tx = this.current
    return tx ? laneOf(tx) : this.#engine.root
  }

  /** Runs a function as if it had been called outside any transaction. */
  outside<T>(fn: () => T): T {
    return this.#context.run(undefined, fn)
  }

  /** Runs a transaction; inside another one's callback, a nested one. */
  async run<T>(fn: TransactionCallback<T>, options: TransactionOptions): Promise<T> {
    checkCallback(fn)
    if (this.current) return this.runNested(fn, this.current, options)
    const resolved = resolveTransactionOptions(options, this.#engine.options)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#runOnce(fn, resolved)
      } catch (error) {
        if (attempt > resolved.retry.busy || !isBusy(error)) throw error
        await pause(attempt)
      }
    }
  }

  /** A nested transaction is a savepoint: of the options, only its time and its signal count. */
  async runNested<T>(
    fn: TransactionCallback<T>,
    parent: Transaction,
    options: TransactionOptions = {},
  ): Promise<T> {
    checkCallback(fn)
    const resolved = resolveTransactionOptions(options, { transactionTimeoutMs: Infinity })
    return this.#runOnce(fn, resolved, parent)
  }

  /** Begins a transaction that is ended by hand. */
  async begin(options: TransactionOptions): Promise<OpenTransaction> {
    if (this.isInside) {
      throw new TransactionError(
        'ERR_TRANSACTION_NESTED',
        'beginTransaction() inside a transaction would wait for it to end; use tx.transaction()',
      )
    }
    const run = await this.#start(resolveTransactionOptions(options, this.#engine.options), undefined)
    const { lane } = run
    let ending: Promise<void> | undefined
    const commit = async () => {
      if (ending || lane.ended) throw lane.abortReason ?? alreadyEnded()
      this.#engine.ending = lane
      ending = this.#commit(run)
        .catch(async (error: unknown) => {
          await this.#rollBack(run)
          throw error
        })
        .finally(() => {
          if (this.#engine.ending === lane) this.#engine.ending = undefined
        })
      return ending
    }
    const rollback = async () => {
      ending ??= this.#rollBack(run)
      await ending.catch(() => {}) // a commit under way ends as it will
    }
    lane.aborted.catch((error: unknown) => {
      const isForgotten = !ending && error instanceof TransactionError
      if (isForgotten) this.#engine.refuse(error) // by its timeout; nobody may ever ask
      return rollback()
    })
    return new OpenTransaction({ engine: this.#engine, nesting: this, lane, commit, rollback })
  }

  async #runOnce<T>(
    fn: TransactionCallback<T>,
    options: ResolvedTransactionOptions,
    parent?: Transaction,
  ): Promise<T> {
    const run = await this.#start(options, parent)
    const { lane } = run
    try {
      const tx = new Transaction(this.#engine, this, lane)
      const result = await Promise.race([this.#context.run(tx, async () => fn(tx)), lane.aborted])
      await this.#commit(run)
      return result
    } catch (error) {
      await this.#rollBack(run)
      throw error
    }
  }

  /** Waits for the turn of a new transaction. */
  async #start(options: ResolvedTransactionOptions, parent: Transaction | undefined): Promise<Run> {
    const { mode, timeoutMs, maxWaitMs, signal } = options
    if (signal?.aborted) throw new AbortedError(false, signal.reason)
    const begin = parent ? Control.savepoint : beginOf[mode]
    const lane = this.#engine.open(parent ? laneOf(parent) : this.#engine.root, begin)
    const ignoreSignal =
      signal && onAbort(signal, () => this.#abort(lane, new AbortedError(false, signal.reason)))
    const waiting = startTimer(maxWaitMs, () => this.#abort(lane, waitedTooLong(maxWaitMs)))?.ref()
    try {
      await lane.granted
    } catch (error) {
      ignoreSignal?.()
      throw error
    } finally {
      clearTimeout(waiting)
    }
    const stopTimer = this.#limit(lane, timeoutMs)
    const release = () => {
      stopTimer()
      ignoreSignal?.()
    }
    return { lane, release, startedAt: performance.now() }
  }

  async #commit({ lane, release, startedAt }: Run): Promise<void> {
    await Promise.race([lane.quiet(), lane.aborted]) // calls that nobody awaited belong to it all the same
    const unobserved = lane.takeUnobservedError()
    if (unobserved) throw unobserved.error
    const token = lane.end('commit')
    this.#engine.schedule()
    await token
    release()
    this.#tellHooks(lane)
    this.#publish('commit', startedAt)
  }

  /** Undoes what was done, unless SQLite did so itself or the thread is gone. Never rejects. */
  async #rollBack({ lane, release, startedAt }: Run): Promise<void> {
    await Promise.race([lane.quiet(), lane.aborted]).catch(() => {}) // what it started ends within it, as above
    const token = lane.end('rollback')
    this.#engine.schedule()
    await token?.catch(() => {})
    release()
    this.#publish('rollback', startedAt)
  }

  /** What is committed to an outer transaction is told with it. */
  #tellHooks({ parent, events }: Lane): void {
    if (events.length === 0) return
    if (parent && parent !== this.#engine.root) parent.events.push(...events)
    else this.#engine.hooks.fire(events)
  }

  #publish(outcome: 'commit' | 'rollback', startedAt: number): void {
    if (!channels.transaction.hasSubscribers) return
    channels.transaction.publish({
      file: this.#engine.file,
      outcome,
      durationMs: performance.now() - startedAt,
    })
  }

  /** Counts from when the lane has the writer to itself; what other callers sent before is not its fault. */
  #limit(lane: Lane, timeoutMs: number): () => void {
    if (timeoutMs === Infinity) return () => {}
    let timer: NodeJS.Timeout | undefined
    let isOver = false
    void lane.held.then(() => {
      if (!isOver) timer = startTimer(timeoutMs, () => this.#abort(lane, heldTooLong(lane, timeoutMs)))
    })
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }

  #abort(lane: Lane, error: Error): void {
    if (lane.ended) return // its COMMIT is on its way
    lane.abort(error)
    this.#engine.schedule()
  }
}

/** A transaction that had its turn. */
interface Run {
  readonly lane: Lane
  /** Stops what watches over it. */
  readonly release: () => void
  readonly startedAt: number
}

function startTimer(ms: number, act: () => void): NodeJS.Timeout | undefined {
  return ms === Infinity ? undefined : setTimeout(act, ms).unref()
}

function isBusy(error: unknown): boolean {
  return error instanceof StatementError && error.sqliteCode.startsWith('SQLITE_BUSY')
}

/** At random, so that two that met do not meet again. */
async function pause(attempt: number): Promise<void> {
  const ms = Math.random() * Math.min(500, 5 * 2 ** attempt)
  await new Promise((resolve) => setTimeout(resolve, ms))
}

function checkCallback(fn: unknown): void {
  if (typeof fn === 'function') return
  throw new UsageError(
    'ERR_INVALID_ARGUMENT',
    `Expected a function to run in the transaction, got ${typeof fn}`,
  )
}

function alreadyEnded(): TransactionError {
  return new TransactionError('ERR_TRANSACTION_ENDED', 'This transaction has ended already')
}

function waitedTooLong(ms: number): TransactionError {
  return new TransactionError(
    'ERR_TRANSACTION_WAIT',
    `The transaction was given up: it did not have its turn within ${ms} ms`,
  )
}

function heldTooLong(lane: Lane, ms: number): TransactionError {
  const what = `The transaction was rolled back: it had not ended ${ms} ms after it got the writer`
  const isWaitedFor = lane.isQuiet && (lane.parent?.isWaiting ?? false)
  return new TransactionError(
    'ERR_TRANSACTION_TIMEOUT',
    isWaitedFor
      ? `${what}. It is idle while other calls wait for it: does its callback wait for a call made outside of it? Make that call through tx`
      : what,
  )
}
