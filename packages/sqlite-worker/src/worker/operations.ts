import type { Database } from 'better-sqlite3'
import { Control, Outcome, type StoredValue, type WireParams } from '../protocol.ts'
import type { Batch } from './batch.ts'
import { StepFailure, WorkerFailure } from './failure.ts'
import { MERGED_ROWS, type MergedInserts } from './merged-inserts.ts'
import type { Kind, Prepared, SingleParams } from './prepared.ts'
import type { ProcedureCall, Procedures } from './procedures.ts'
import type { ReadResult, Reads } from './reads.ts'
import type { Schema } from './schema.ts'
import type { SharedState } from './shared.ts'
import type { Statements } from './statements.ts'
import type { Writes } from './writes.ts'

/** A statement that took longer than this is answered apart from its neighbours the next time. */
const LONG_MS = 2
/** One that took longer than this is reported even when nobody asked, so that the next one goes alone. */
const REPORTED_MS = 20

export interface OperationsParts {
  readonly db: Database
  readonly schema: Schema
  readonly statements: Statements
  readonly reads: Reads
  readonly writes: Writes
  readonly merged: MergedInserts
  readonly procedures: Procedures
  readonly shared: SharedState
  /** Operations that take longer are reported. */
  readonly slowMs: number
}

/** Runs single operations, whatever transaction they are in, and notes their outcomes. */
export class Operations {
  readonly #parts: OperationsParts

  constructor(parts: OperationsParts) {
    this.#parts = parts
  }

  /** Whether it may share a transaction with its neighbours. What cannot be prepared runs alone and says why. */
  isGroupable(batch: Batch, index: number): boolean {
    const code = batch.code(index)
    if (code >= 0) return this.#isOf(code, 'group')
    return code === Control.batch ? this.#areOf(batch.payload(index), 'group') : code === Control.nothing
  }

  #areOf(steps: unknown, kind: Kind): boolean {
    return stepsOf(steps).every(({ id }) => this.#isOf(id, kind))
  }

  #isOf(id: number, kind: Kind): boolean {
    try {
      return this.#parts.statements.get(id).kind === kind
    } catch {
      return false
    }
  }

  /** @throws what SQLite throws, or {@link WorkerFailure}; nothing has changed then, unless the statement says OR FAIL. */
  run(batch: Batch, index: number): void {
    const code = batch.code(index)
    if (code === Control.nothing) return
    if (this.#parts.shared.isAborted(index)) throw new WorkerFailure('aborted', 'The operation was given up')
    // in a group, only what must be: the clock costs more than a small part of an insert
    const isTimed = batch.timed || this.#parts.slowMs !== Infinity
    if (code < 0) this.#timed(batch, index, () => this.#runPayload(batch, index, code))
    else {
      const prepared = this.#parts.statements.get(code)
      if (!isTimed && prepared.kind === 'group') this.#runStatement(batch, index, prepared)
      else {
        const ms = this.#timed(batch, index, () => this.#runStatement(batch, index, prepared))
        prepared.isSlow = ms > LONG_MS
      }
    }
  }

  /**
   * Runs the next operations as one statement inside a transaction, where they are one plain insert each; returns how
   * many did, most often none. It may roll the transaction back.
   */
  runMerged(batch: Batch, from: number, limit: number): number {
    const { shared, statements, merged, slowMs } = this.#parts
    const to = from + MERGED_ROWS
    if (to > limit || batch.timed || slowMs !== Infinity || !batch.areAlike(from, to)) return 0
    for (let index = from; index < to; index++) if (shared.isAborted(index)) return 0
    return merged.run(batch, from, statements.get(batch.code(from))) ? MERGED_ROWS : 0
  }

  #timed(batch: Batch, index: number, run: () => void): number {
    const start = performance.now()
    try {
      run()
    } finally {
      const ms = performance.now() - start
      if (batch.timed || ms > Math.min(this.#parts.slowMs, REPORTED_MS)) batch.outcomes.time(index, ms)
    }
    return performance.now() - start
  }

  #runStatement(batch: Batch, index: number, prepared: Prepared): void {
    const { reads, writes, schema } = this.#parts
    const { outcomes } = batch
    const params = batch.params(index)
    if (batch.hasManySets(index))
      outcomes.detailedWrite(index, writes.runSets(prepared, params as StoredValue[][]))
    else if (!prepared.statement.reader) writes.run(prepared, params as SingleParams, index, outcomes)
    else if (prepared.isChange)
      outcomes.detailedWrite(index, writes.runReturning(prepared, params as SingleParams))
    else if (prepared.kind === 'read')
      outcomes.rows(index, reads.run(prepared, params as SingleParams, index, batch.streamed))
    else outcomes.rows(index, reads.readWhole(prepared, params as SingleParams)) // a PRAGMA may not run in a transaction
    if (prepared.kind === 'single') schema.touch()
  }

  #runPayload(batch: Batch, index: number, code: number): void {
    const payload = batch.payload(index)
    const { schema } = this.#parts
    const begin = code === Control.batch && this.#areOf(payload, 'read') ? 'BEGIN' : 'BEGIN IMMEDIATE'
    const value = this.#inTransaction(begin, () => {
      if (code === Control.batch)
        return { batch: stepsOf(payload).map((step, at) => this.#runStep(step, at)) }
      if (code === Control.call)
        return { value: this.#parts.procedures.call(this.#parts.db, payload as ProcedureCall) }
      this.#parts.db.exec(payload as string)
      return {}
    })
    if (code !== Control.batch) schema.touch()
    batch.outcomes.value(index, value)
  }

  /** One statement of a batch; its outcome is an object of its own. @throws {StepFailure} */
  #runStep({ id, params }: Step, at: number): unknown {
    try {
      const prepared = this.#parts.statements.get(id)
      if (prepared.kind === 'single') this.#parts.schema.touch()
      return this.#outcomeOf(prepared, params as SingleParams)
    } catch (error) {
      throw new StepFailure(at, error)
    }
  }

  #outcomeOf(prepared: Prepared, params: SingleParams): unknown {
    const { reads, writes } = this.#parts
    if (!prepared.statement.reader) return { kind: Outcome.write, ...writes.runDetailed(prepared, params) }
    if (!prepared.isChange) return { kind: Outcome.rows, ...plain(reads.readWhole(prepared, params)) }
    const { returned, ...write } = writes.runReturning(prepared, params)
    return { kind: Outcome.write, ...write, returned: returned && plain(returned) }
  }

  /** All or nothing: a savepoint inside a transaction, else one of its own. */
  #inTransaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', run: () => T): T {
    const { db, writes } = this.#parts
    if (db.inTransaction) return writes.atomically(run)
    db.exec(begin)
    try {
      const result = run()
      if (!db.inTransaction) throw endedItself()
      db.exec('COMMIT')
      return result
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      throw error
    }
  }
}

function endedItself(): WorkerFailure {
  return new WorkerFailure(
    'transaction-control',
    'It ended the transaction that it ran in; what it did until then stays',
  )
}

interface Step {
  readonly id: number
  readonly params: WireParams
}

function stepsOf(payload: unknown): Step[] {
  const list = payload as unknown[]
  const steps = []
  for (let i = 0; i < list.length; i += 2)
    steps.push({ id: list[i] as number, params: list[i + 1] as WireParams })
  return steps
}

function plain({ columns, rows }: ReadResult): object {
  return { columns, count: rows.count, values: rows.values }
}
