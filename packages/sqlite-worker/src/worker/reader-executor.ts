import type { Database, Statement } from 'better-sqlite3'
import type { BatchMessage, ReplyMessage } from '../protocol.ts'
import { Batch } from './batch.ts'
import type { BusyRetry } from './busy.ts'
import { toFailure } from './failure.ts'
import type { Operations } from './operations.ts'
import type { Reads } from './reads.ts'
import type { SharedState } from './shared.ts'
import type { Statements } from './statements.ts'

export interface ReaderExecutorParts {
  readonly db: Database
  readonly statements: Statements
  readonly operations: Operations
  readonly reads: Reads
  readonly busy: BusyRetry
  readonly shared: SharedState
  readonly reply: (message: ReplyMessage) => void
}

/** Runs the batches of a reader. The reads of one batch share a snapshot, which is cheaper than one for each. */
export class ReaderExecutor {
  readonly #parts: ReaderExecutorParts
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #schemaVersion: Statement<[], number>

  constructor(parts: ReaderExecutorParts) {
    this.#parts = parts
    this.#begin = parts.db.prepare('BEGIN')
    this.#commit = parts.db.prepare('COMMIT')
    this.#schemaVersion = parts.db.prepare<[], number>('PRAGMA schema_version').pluck()
  }

  run(message: BatchMessage): void {
    const { statements, shared, busy, reply } = this.#parts
    statements.define(message.define)
    shared.nextBatch()
    busy.start()
    const batch = new Batch(message)
    const isShared = batch.count > 1
    if (isShared) this.#openSnapshot()
    for (let index = 0; index < batch.count && !shared.isStopped; index++) {
      if (index > batch.outcomes.sent && statements.mayBeSlow(batch.code(index)))
        reply(batch.outcomes.reply(index, false))
      this.#run(batch, index)
    }
    if (isShared) this.#closeSnapshot()
    reply(batch.outcomes.reply(batch.count, true))
    statements.forget(message.forget)
  }

  #run(batch: Batch, index: number): void {
    try {
      this.#parts.busy.run(() => this.#parts.operations.run(batch, index))
    } catch (error) {
      batch.outcomes.failure(index, toFailure(error))
    }
  }

  #openSnapshot(): void {
    this.#begin.run()
    try {
      this.#parts.reads.schemaVersion = this.#schemaVersion.get()
    } catch {
      // the file cannot be read now; each operation says so for itself
    }
  }

  #closeSnapshot(): void {
    this.#parts.reads.schemaVersion = undefined
    if (this.#parts.db.inTransaction) this.#commit.run()
  }
}
