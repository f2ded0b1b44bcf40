import { Connection } from './connection.ts'
import type { Engine } from './engine/engine.ts'
import type { Lane } from './engine/lane.ts'
import { TransactionError } from './errors.ts'

export type TransactionCallback<T> = (tx: Transaction) => T | Promise<T>

/** What a transaction needs of the worker it belongs to. */
export interface Nesting {
  /** The transaction whose callback the current asynchronous context belongs to. */
  readonly current: Transaction | undefined
  runNested<T>(fn: TransactionCallback<T>, parent: Transaction): Promise<T>
}

/** Where a transaction's statements go. @throws {TransactionError} when it has ended. For this package only. */
export let laneOf: (tx: Transaction) => Lane
/** For this package only. */
export let hasEnded: (tx: Transaction) => boolean

/** One transaction: statements that are committed together, isolated from all others. Made by `transaction()`. */
export class Transaction extends Connection {
  readonly #nesting: Nesting
  readonly #lane: Lane

  static {
    laneOf = (tx) => tx.#usableLane()
    hasEnded = (tx) => tx.#lane.ended
  }

  /** For this package only: call `worker.transaction()`. */
  constructor(engine: Engine, nesting: Nesting, lane: Lane) {
    super(engine, () => this.#usableLane())
    this.#nesting = nesting
    this.#lane = lane
  }

  /**
   * Runs a nested transaction, a savepoint: when its callback throws, only its own statements are undone. Nested
   * transactions of one transaction run one after another. Rejects as `worker.transaction()` does.
   */
  async transaction<T>(fn: TransactionCallback<T>): Promise<T> {
    return this.#nesting.runNested(fn, this)
  }

  #usableLane(): Lane {
    if (this.#lane.ended) {
      throw new TransactionError(
        'ERR_TRANSACTION_ENDED',
        'This transaction has ended; its statements can no longer be run',
      )
    }
    const { current } = this.#nesting
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

/** A transaction that is ended by hand. Made by `beginTransaction()`. */
export class OpenTransaction extends Transaction implements AsyncDisposable {
  readonly #commit: () => Promise<void>
  readonly #rollback: () => Promise<void>

  /** For this package only: call `worker.beginTransaction()`. */
  constructor(parts: {
    engine: Engine
    nesting: Nesting
    lane: Lane
    commit: () => Promise<void>
    rollback: () => Promise<void>
  }) {
    super(parts.engine, parts.nesting, parts.lane)
    this.#commit = parts.commit
    this.#rollback = parts.rollback
  }

  /**
   * Commits it. Rejects, with everything rolled back, when a statement that nobody awaited failed, or with the error of
   * COMMIT; with {@link TransactionError} when it has ended already.
   */
  commit(): Promise<void> {
    return this.#commit()
  }

  /** Undoes it. Does nothing when it has ended already. */
  rollback(): Promise<void> {
    return this.#rollback()
  }

  /** {@link rollback}, unless it was committed: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rollback()
  }
}
