import type { Database, Statement } from 'better-sqlite3'
import { Control, type BatchMessage, type FailurePayload, type ReplyMessage } from '../protocol.ts'
import { Batch } from './batch.ts'
import type { BusyRetry } from './busy.ts'
import { TransactionSteps, type SqlControl } from './control.ts'
import { toFailure } from './failure.ts'
import type { Operations } from './operations.ts'
import type { Schema } from './schema.ts'
import type { SharedState } from './shared.ts'
import type { Statements } from './statements.ts'

/** A group is committed after about this time, so that other processes get at the lock. */
const GROUP_MS = 10
/** After so many operations the clock is looked at. */
const LOOK_EVERY = 16
/** How often a group is replayed without the statements that rolled it back, before its operations run singly. */
const MAX_REPLAYS = 3
/** Finished operations are answered at least this often, ahead of their batch. */
const REPLY_MS = 2

export interface ExecutorParts {
  readonly db: Database
  readonly maxCount: number
  readonly schema: Schema
  readonly statements: Statements
  readonly operations: Operations
  readonly busy: BusyRetry
  readonly shared: SharedState
  readonly reply: (message: ReplyMessage) => void
}

/** Runs the batches of the writer. Not reentrant: one batch at a time, in order of arrival. */
export class Executor {
  readonly #db: Database
  readonly #parts: ExecutorParts
  /** Why the leased transaction is gone; answers its operations until it is ended. */
  #leaseFailure: FailurePayload | undefined
  readonly #steps: TransactionSteps
  readonly #begin: Statement
  readonly #commit: Statement

  constructor(parts: ExecutorParts) {
    this.#db = parts.db
    this.#parts = parts
    this.#steps = new TransactionSteps(parts.db)
    this.#begin = parts.db.prepare('BEGIN IMMEDIATE')
    this.#commit = parts.db.prepare('COMMIT')
  }

  run(message: BatchMessage): void {
    const { statements, shared, busy } = this.#parts
    statements.define(message.define)
    shared.nextBatch()
    busy.start()
    const batch = new Batch(message)
    let lastReply = performance.now()
    for (let index = 0; index < batch.count;) {
      if (shared.isStopped) return
      if (
        index > batch.outcomes.sent &&
        (this.#mayTakeLong(batch, index) || performance.now() - lastReply > REPLY_MS)
      ) {
        this.#parts.reply(batch.outcomes.reply(index, false))
        lastReply = performance.now()
      }
      if (batch.leased) this.#runLeased(batch, index++)
      else index = this.#runUnleased(batch, index)
    }
    this.#parts.reply(batch.outcomes.reply(batch.count, true))
    statements.forget(message.forget)
  }

  #mayTakeLong(batch: Batch, index: number): boolean {
    const code = batch.code(index)
    return code < 0
      ? code === Control.call || code === Control.script
      : this.#parts.statements.mayBeSlow(code)
  }

  /** Runs the operation at `from`, with as many of its followers as may share its transaction; returns the next. */
  #runUnleased(batch: Batch, from: number): number {
    let to = from
    const limit = Math.min(batch.count, from + this.#parts.maxCount)
    while (to < limit && this.#parts.operations.isGroupable(batch, to)) to += 1
    if (to - from < 2) {
      this.#runAlone(batch, from)
      return from + 1
    }
    return this.#runGroup(batch, from, to)
  }

  /** Runs operations [from, to) in one transaction; each outcome is the one it would have had alone. */
  #runGroup(batch: Batch, from: number, to: number): number {
    const killers: Killers = new Map()
    for (let replay = 0; replay <= MAX_REPLAYS; replay++) {
      const end = this.#tryGroup(batch, from, to, killers)
      if (end !== undefined) return end
      batch.outcomes.undo(from)
      if (killers.size === replay) break // no statement rolled it back: a deferred key or COMMIT stood in the way
    }
    for (let index = from; index < to; index++) {
      if (!this.#isKiller(batch, index, killers)) this.#runAlone(batch, index)
    }
    return to
  }

  /** One attempt; returns the end of what was committed, or undefined with everything rolled back. */
  #tryGroup(batch: Batch, from: number, to: number, killers: Killers): number | undefined {
    const { schema, busy } = this.#parts
    try {
      busy.run(() => this.#begin.run())
    } catch (error) {
      if (schema.hasSeveralDatabases) return undefined // the lock may be another file's
      for (let index = from; index < to; index++) batch.outcomes.failure(index, toFailure(error))
      return to // alone, each would wait for the same lock again
    }
    if (this.#mayNotGroup()) {
      this.#db.exec('ROLLBACK')
      return undefined
    }
    const deadline = performance.now() + GROUP_MS
    let index = from
    let killed = 0
    let nextLook = from + LOOK_EVERY
    while (index < to) {
      if (index >= nextLook) {
        if (performance.now() > deadline) break
        nextLook = index + LOOK_EVERY
      }
      if (this.#isKiller(batch, index, killers)) {
        killed += 1
        index += 1
        continue
      }
      const merged = killers.size === 0 ? this.#parts.operations.runMerged(batch, index, to) : 0
      if (!this.#db.inTransaction) return undefined // whoever of them did it will do it alone
      index += merged
      if (merged > 0) continue
      this.#attempt(batch, index)
      if (!this.#db.inTransaction) {
        killers.set(index, batch.outcomes.failureOf(index) ?? LEASE_GONE)
        return undefined
      }
      index += 1
    }
    try {
      if (!this.#parts.shared.isStopped) this.#commit.run() // nobody would be told, and others may write by now
      else this.#rollback()
    } catch {
      this.#rollback()
      return undefined
    }
    batch.outcomes.group(index - from - killed)
    return index
  }

  /** Whether an operation rolled its group back before; what it came to then is its outcome. */
  #isKiller(batch: Batch, index: number, killers: Killers): boolean {
    const failure = killers.get(index)
    if (failure) batch.outcomes.failure(index, failure)
    return failure !== undefined
  }

  #mayNotGroup(): boolean {
    try {
      return this.#parts.schema.hasDeferredKeys()
    } catch {
      return true // the schema cannot be read; each operation says so for itself
    }
  }

  #runAlone(batch: Batch, index: number): void {
    try {
      this.#parts.busy.run(() => this.#parts.operations.run(batch, index))
    } catch (error) {
      batch.outcomes.failure(index, toFailure(error))
    }
    this.#rollback() // a RELEASE that could not commit leaves its savepoint open
  }

  #rollback(): void {
    if (!this.#db.inTransaction) return
    this.#db.exec('ROLLBACK')
    this.#parts.schema.touch()
  }

  #runLeased(batch: Batch, index: number): void {
    const code = batch.code(index)
    const ends = code === Control.commit || code === Control.rollback
    if (code === Control.rollback) this.#rollback()
    else if (this.#leaseFailure) batch.outcomes.failure(index, this.#leaseFailure)
    else if (isSqlControl(code)) this.#control(batch, index, code)
    else if (!this.#db.inTransaction) batch.outcomes.failure(index, LEASE_GONE) // never on its own
    else this.#attempt(batch, index)
    if (ends) {
      this.#rollback() // whatever became of COMMIT, the next operations find no open transaction
      this.#leaseFailure = undefined
    } else if (!this.#db.inTransaction) {
      const { step: _, ...failure } = batch.outcomes.failureOf(index) ?? LEASE_GONE // of the batch it stopped in
      this.#leaseFailure ??= failure
    }
  }

  #control(batch: Batch, index: number, code: SqlControl): void {
    try {
      const step = () => this.#steps.run(code, batch.payload(index))
      if (this.#db.inTransaction && code !== Control.commit) step()
      else this.#parts.busy.run(step)
    } catch (error) {
      batch.outcomes.failure(index, toFailure(error))
    }
  }

  /** Runs one operation inside a transaction and notes its outcome, failure included. */
  #attempt(batch: Batch, index: number): void {
    try {
      this.#parts.operations.run(batch, index)
    } catch (error) {
      batch.outcomes.failure(index, toFailure(error))
    }
  }
}

/** Operations that roll their group back, and why they failed. */
type Killers = Map<number, FailurePayload>

const LEASE_GONE: FailurePayload = {
  kind: 'transaction-gone',
  message: 'A statement ended this transaction, so nothing more can run in it',
  sqliteCode: undefined,
}

function isSqlControl(code: number): code is SqlControl {
  return code < 0 && code >= Control.rollbackTo
}
