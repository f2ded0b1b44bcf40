import type { Database, Statement } from 'better-sqlite3'
import {
  Control,
  type BatchMessage,
  type FailurePayload,
  type ReplyMessage,
  type WireParams,
} from '../protocol.ts'
import { toFailure } from './failure.ts'
import { Outcomes } from './outcomes.ts'
import { StatementRunner } from './run-statement.ts'
import { Schema } from './schema.ts'
import { Statements, type Prepared } from './statements.ts'

/** A group is committed after about this time, so that other processes get at the lock. */
const GROUP_MS = 10
/** How often a group is replayed without the statements that rolled it back, before its operations run singly. */
const MAX_REPLAYS = 3

/** Runs the batches of one connection. Not reentrant: one batch at a time, in order of arrival. */
export class Executor {
  readonly #db: Database
  readonly #maxCount: number
  readonly #schema: Schema
  readonly #statements: Statements
  readonly #runner: StatementRunner
  /** Why the leased transaction is gone; answers its operations until it is ended. */
  #leaseFailure: FailurePayload | undefined
  readonly #begin: Statement
  readonly #commit: Statement

  constructor(db: Database, maxCount: number) {
    this.#db = db
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#maxCount = maxCount
    this.#schema = new Schema(db)
    this.#statements = new Statements(db)
    this.#runner = new StatementRunner(db)
  }

  run({ define, forget, leased, operations }: BatchMessage): ReplyMessage {
    this.#statements.define(define)
    const count = operations.length / 2
    const outcomes = new Outcomes(count)
    const batch = { operations, outcomes }
    for (let index = 0; index < count;) {
      if (leased) this.#runLeased(batch, index++)
      else index = this.#runUnleased(batch, index, count)
    }
    this.#statements.forget(forget)
    return outcomes.reply()
  }

  /** Runs the operation at `from`, with as many of its followers as may share its transaction; returns the next. */
  #runUnleased(batch: Batch, from: number, count: number): number {
    let to = from
    const limit = Math.min(count, from + this.#maxCount)
    while (to < limit && this.#isGroupable(batch, to)) to += 1
    if (to - from < 2) {
      this.#runAlone(batch, from)
      return from + 1
    }
    return this.#runGroup(batch, from, to)
  }

  #isGroupable(batch: Batch, index: number): boolean {
    try {
      return this.#prepared(batch, index).kind === 'group'
    } catch {
      return false // runs alone and reports why it cannot be prepared
    }
  }

  /** Runs operations [from, to) in one transaction; each outcome is the one it would have had alone. */
  #runGroup(batch: Batch, from: number, to: number): number {
    const killers = new Set<number>()
    for (let replay = 0; replay <= MAX_REPLAYS; replay++) {
      const end = this.#tryGroup(batch, from, to, killers)
      if (end !== undefined) return end
      if (killers.size === replay) break // no statement rolled it back: a deferred key or COMMIT stood in the way
    }
    for (let index = from; index < to; index++) if (!killers.has(index)) this.#runAlone(batch, index)
    return to
  }

  /** One attempt; returns the end of what was committed, or undefined with everything rolled back. */
  #tryGroup(batch: Batch, from: number, to: number, killers: Set<number>): number | undefined {
    try {
      this.#begin.run()
    } catch (error) {
      if (this.#schema.hasSeveralDatabases) return undefined // the lock may be another file's
      for (let index = from; index < to; index++) batch.outcomes.failure(index, toFailure(error))
      return to // alone, each would wait for the same lock again
    }
    if (this.#mayNotGroup()) {
      this.#rollback()
      return undefined
    }
    const deadline = performance.now() + GROUP_MS
    let index = from
    for (; index < to; index++) {
      if (killers.has(index)) continue
      if (index > from && (index & 15) === 0 && performance.now() > deadline) break
      this.#attempt(batch, index)
      if (!this.#db.inTransaction) {
        killers.add(index)
        return undefined
      }
    }
    try {
      this.#commit.run()
      return index
    } catch {
      this.#rollback()
      return undefined
    }
  }

  #mayNotGroup(): boolean {
    try {
      return this.#schema.hasDeferredKeys()
    } catch {
      return true // the schema cannot be read; each operation says so for itself
    }
  }

  #runAlone(batch: Batch, index: number): void {
    this.#attempt(batch, index)
    this.#rollback() // a RELEASE that could not commit leaves its savepoint open
  }

  #rollback(): void {
    if (!this.#db.inTransaction) return
    this.#db.exec('ROLLBACK')
    this.#schema.touch()
  }

  #runLeased(batch: Batch, index: number): void {
    const code = batch.operations[2 * index] as number
    const ends = code === Control.commit || code === Control.rollback
    if (code === Control.rollback) this.#rollback()
    else if (this.#leaseFailure) batch.outcomes.failure(index, this.#leaseFailure)
    else if (code < 0) this.#control(batch, index, code as SqlControl)
    else this.#attempt(batch, index)
    if (ends) {
      this.#rollback() // whatever became of COMMIT, the next operations find no open transaction
      this.#leaseFailure = undefined
    } else if (!this.#db.inTransaction) {
      this.#leaseFailure ??= batch.outcomes.failureOf(index) ?? LEASE_GONE
    }
  }

  #control(batch: Batch, index: number, code: SqlControl): void {
    try {
      this.#db.exec(controlSql(code, batch.operations[2 * index + 1] as WireParams))
    } catch (error) {
      batch.outcomes.failure(index, toFailure(error))
    }
  }

  /** Runs one operation and notes its outcome, failure included. */
  #attempt(batch: Batch, index: number): void {
    try {
      const prepared = this.#prepared(batch, index)
      this.#runner.run(prepared, batch.operations[2 * index + 1] as WireParams, index, batch.outcomes)
      if (prepared.kind === 'single') this.#schema.touch()
    } catch (error) {
      batch.outcomes.failure(index, toFailure(error))
    }
  }

  #prepared(batch: Batch, index: number): Prepared {
    return this.#statements.get(batch.operations[2 * index] as number)
  }
}

type SqlControl = Exclude<Control, typeof Control.rollback>

const LEASE_GONE: FailurePayload = {
  kind: 'transaction-gone',
  message: 'A statement ended this transaction, so nothing more can run in it',
  sqliteCode: undefined,
}

interface Batch {
  readonly operations: BatchMessage['operations']
  readonly outcomes: Outcomes
}

function controlSql(code: SqlControl, params: WireParams): string {
  const savepoint = `outrider_${Array.isArray(params) ? String(params[0]) : ''}`
  switch (code) {
    case Control.beginDeferred:
      return 'BEGIN DEFERRED'
    case Control.beginImmediate:
      return 'BEGIN IMMEDIATE'
    case Control.beginExclusive:
      return 'BEGIN EXCLUSIVE'
    case Control.commit:
      return 'COMMIT'
    case Control.savepoint:
      return `SAVEPOINT ${savepoint}`
    case Control.release:
      return `RELEASE ${savepoint}`
    case Control.rollbackTo:
      return `ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`
  }
}
