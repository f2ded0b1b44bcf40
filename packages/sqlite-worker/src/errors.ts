import type { MigrationStep } from './migrations/step.ts'
import type { FailurePayload } from './protocol.ts'

/** Every code that an error of this package can carry. */
export const errorCodes = [
  'ERR_ABORTED',
  'ERR_CLOSED',
  'ERR_CONDITIONS',
  'ERR_INTEGER_RANGE',
  'ERR_INVALID_ARGUMENT',
  'ERR_INVALID_OPTION',
  'ERR_JOB_DEAD',
  'ERR_JOB_NOT_FOUND',
  'ERR_JOB_PAYLOAD',
  'ERR_JOB_TIMEOUT',
  'ERR_LEASE_LOST',
  'ERR_MIGRATION_CHANGED',
  'ERR_MIGRATION_DOWN',
  'ERR_MIGRATION_FAILED',
  'ERR_MIGRATION_ORDER',
  'ERR_MIGRATION_TABLE',
  'ERR_MIGRATION_UNKNOWN',
  'ERR_OPEN',
  'ERR_PARAMETERS',
  'ERR_PROCEDURE',
  'ERR_QUEUE_CLOSED',
  'ERR_QUEUE_FULL',
  'ERR_QUEUE_TIMEOUT',
  'ERR_QUEUE_VERSION',
  'ERR_STATEMENT',
  'ERR_STREAM_IDLE',
  'ERR_TRANSACTION_CONTROL',
  'ERR_TRANSACTION_ENDED',
  'ERR_TRANSACTION_NESTED',
  'ERR_TRANSACTION_TIMEOUT',
  'ERR_TRANSACTION_WAIT',
  'ERR_VALUE',
  'ERR_WAIT_TIMEOUT',
  'ERR_WORKER_DIED',
] as const

export type SqliteWorkerErrorCode = (typeof errorCodes)[number]

const brand = Symbol.for('@outrider/sqlite-worker/error')

/** Base of all errors of this package. Messages never hold parameter values. */
export abstract class SqliteWorkerError extends Error {
  abstract override readonly name: string
  abstract readonly code: SqliteWorkerErrorCode

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }
}

/** Whether a value is an error of this package, of this copy of it or another. */
export function isSqliteWorkerError(value: unknown): value is SqliteWorkerError | InvalidOptionError {
  return typeof value === 'object' && value !== null && brand in value
}

/**
 * SQLite refused a statement: a constraint, a syntax error, a lock, a full disk. The statement changed nothing, unless
 * it says `OR FAIL`.
 */
export class StatementError extends SqliteWorkerError {
  override readonly name = 'StatementError'
  override readonly code = 'ERR_STATEMENT'
  /** SQLite's extended result code, such as `SQLITE_CONSTRAINT_UNIQUE`. */
  readonly sqliteCode: string
  /** The statement's text, or undefined where it began or ended a transaction. */
  readonly sql: string | undefined

  constructor(message: string, facts: { sqliteCode: string; sql: string | undefined }) {
    super(message)
    this.sqliteCode = facts.sqliteCode
    this.sql = facts.sql
  }
}

/** The database file could not be opened, or a statement of `executeInit` failed. */
export class OpenError extends SqliteWorkerError {
  override readonly name = 'OpenError'
  override readonly code = 'ERR_OPEN'
  /** SQLite's result code, such as `SQLITE_CANTOPEN`, where SQLite gave one. */
  readonly sqliteCode: string | undefined

  constructor(message: string, sqliteCode: string | undefined) {
    super(message)
    this.sqliteCode = sqliteCode
  }
}

/** A call that cannot be run as written: its parameters, conditions, identifiers or statement are not usable. */
export class UsageError extends SqliteWorkerError {
  override readonly name = 'UsageError'
  override readonly code:
    | 'ERR_CONDITIONS'
    | 'ERR_INTEGER_RANGE'
    | 'ERR_INVALID_ARGUMENT'
    | 'ERR_PARAMETERS'
    | 'ERR_TRANSACTION_CONTROL'
    | 'ERR_VALUE'

  constructor(code: UsageError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** A transaction ended before this call, timed out, waited for too long, or is waiting for one nested in it. */
export class TransactionError extends SqliteWorkerError {
  override readonly name = 'TransactionError'
  override readonly code:
    | 'ERR_TRANSACTION_ENDED'
    | 'ERR_TRANSACTION_NESTED'
    | 'ERR_TRANSACTION_TIMEOUT'
    | 'ERR_TRANSACTION_WAIT'

  constructor(code: TransactionError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** An option is unknown or has a value that does not fit. A TypeError; {@link isSqliteWorkerError} knows it too. */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError'
  readonly code = 'ERR_INVALID_OPTION'

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }
}

/** The worker was closed before this call. */
export class ClosedError extends SqliteWorkerError {
  override readonly name = 'ClosedError'
  override readonly code = 'ERR_CLOSED'

  constructor() {
    super('This SqliteWorker is closed')
  }
}

/** The thread died. Operations that were on their way to it may or may not have been committed. */
export class WorkerDiedError extends SqliteWorkerError {
  override readonly name = 'WorkerDiedError'
  override readonly code = 'ERR_WORKER_DIED'
  /** False when the operation had not been sent to the thread, so that it certainly did not run. */
  readonly maybeCommitted: boolean

  constructor(maybeCommitted: boolean, cause: unknown, isLost = false) {
    const what = maybeCommitted
      ? 'The SQLite thread died while it ran this operation, which may or may not be committed'
      : 'The SQLite thread died before it ran this operation'
    super(isLost ? 'The SQLite thread died, and its database with it, which was in no lasting file' : what, {
      cause,
    })
    this.maybeCommitted = maybeCommitted
  }
}

/** An operation was given up through its signal; `cause` is the signal's reason. */
export class AbortedError extends SqliteWorkerError {
  override readonly name = 'AbortedError'
  override readonly code = 'ERR_ABORTED'
  /** False when it certainly changed nothing: it was a read, or had not been sent to the thread. */
  readonly maybeCommitted: boolean

  constructor(maybeCommitted: boolean, cause: unknown) {
    super(
      maybeCommitted
        ? 'The operation was given up while it was under way; it may or may not be committed'
        : 'The operation was given up',
      { cause },
    )
    this.maybeCommitted = maybeCommitted
  }
}

/** The queue was full, or an operation waited in it for too long. It did not run. */
export class QueueLimitError extends SqliteWorkerError {
  override readonly name = 'QueueLimitError'
  override readonly code: 'ERR_QUEUE_FULL' | 'ERR_QUEUE_TIMEOUT'

  constructor(code: QueueLimitError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** A procedure threw, returned a promise or something that cannot be cloned, or its file cannot be imported; `cause` says what. It changed nothing. */
export class ProcedureError extends SqliteWorkerError {
  override readonly name = 'ProcedureError'
  override readonly code = 'ERR_PROCEDURE'
  /** SQLite's extended result code, where the procedure failed with one. */
  readonly sqliteCode: string | undefined

  constructor(message: string, facts: { sqliteCode: string | undefined; cause: unknown }) {
    super(message, { cause: facts.cause })
    this.sqliteCode = facts.sqliteCode
  }
}

/** A stream was ended because its consumer took nothing for too long. */
export class StreamError extends SqliteWorkerError {
  override readonly name = 'StreamError'
  override readonly code = 'ERR_STREAM_IDLE'
}

/** A migration cannot be applied or rolled back. Those named in `completed` were committed before; it changed nothing. */
export class MigrationError extends SqliteWorkerError {
  override readonly name = 'MigrationError'
  override readonly code:
    | 'ERR_MIGRATION_CHANGED'
    | 'ERR_MIGRATION_DOWN'
    | 'ERR_MIGRATION_FAILED'
    | 'ERR_MIGRATION_ORDER'
    | 'ERR_MIGRATION_TABLE'
    | 'ERR_MIGRATION_UNKNOWN'
  /** The migration it is about, where it is about one. */
  readonly version: string | undefined
  readonly direction: 'up' | 'down' | undefined
  /** What the same call had done before, in order. Of a dry run, what would have been done. */
  readonly completed: readonly MigrationStep[]

  constructor(code: MigrationError['code'], message: string, facts: MigrationFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.version = facts.version
    this.direction = facts.direction
    this.completed = facts.completed ?? []
  }
}

interface MigrationFacts {
  readonly version?: string
  readonly direction?: 'up' | 'down'
  readonly completed?: readonly MigrationStep[]
  readonly cause?: unknown
}

/** The error of a failed operation, as its caller gets it. */
export function fromFailure(failure: FailurePayload, sql: string | undefined): SqliteWorkerError {
  const { kind, message, sqliteCode } = failure
  switch (kind) {
    case 'sqlite':
      return new StatementError(message, { sqliteCode: sqliteCode ?? 'SQLITE_ERROR', sql })
    case 'open':
      return new OpenError(message, sqliteCode)
    case 'argument':
      return new UsageError('ERR_INVALID_ARGUMENT', message)
    case 'transaction-gone':
      return new TransactionError('ERR_TRANSACTION_ENDED', message)
    case 'parameters':
      return new UsageError('ERR_PARAMETERS', message)
    case 'integer-range':
      return new UsageError('ERR_INTEGER_RANGE', message)
    case 'procedure':
      return new ProcedureError(message, { sqliteCode, cause: failure.cause })
    case 'aborted':
      return new AbortedError(false, undefined)
    case 'transaction-control':
      return new UsageError('ERR_TRANSACTION_CONTROL', message)
  }
}
