const brand = Symbol.for('@outrider/phantomdb-client/error')

/** What is known about a failure beside its message. */
export interface ErrorFacts {
  /** PostgreSQL's five-character code, such as `23505`. */
  readonly sqlstate?: string | undefined
  /** The server's code, such as `query_error`. */
  readonly code?: string | undefined
  /** What the server says about it: `constraint`, `table`, `column`, `position`. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
  /** Under which the server knows the call. */
  readonly requestId?: string | undefined
  readonly cause?: unknown
}

/** Base of all errors of this package, as PEP 249 orders them (https://peps.python.org/pep-0249/#exceptions). */
export abstract class PhantomDBError extends Error {
  abstract override readonly name: string
  /** PostgreSQL's code where the database refused something, else undefined. */
  readonly sqlstate: string | undefined
  /** The server's code where the server refused something, see the table in the README. */
  readonly code: string | undefined
  /** The names concerned where they are known: `constraint`, `table`, `column`, `position`. Never values. */
  readonly details: Readonly<Record<string, unknown>>
  /** Under which the server knows the call, where it answered. */
  readonly requestId: string | undefined

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }

  constructor(message: string, facts: ErrorFacts = {}) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined)
    this.sqlstate = facts.sqlstate
    this.code = facts.code
    this.details = facts.details ?? {}
    this.requestId = facts.requestId
  }
}

/** Whether a value is an error of this package, of this copy of it or another. */
export function isPhantomDBError(value: unknown): value is PhantomDBError {
  return typeof value === 'object' && value !== null && brand in value
}

/** The server cannot be reached, or the connection broke. */
export class ConnectionError extends PhantomDBError {
  override readonly name = 'ConnectionError'
  /** Whether the call may have run all the same: its reply was lost. */
  readonly maybeExecuted: boolean

  constructor(message: string, facts: ErrorFacts & { maybeExecuted: boolean }) {
    super(message, facts)
    this.maybeExecuted = facts.maybeExecuted
  }
}

/** No reply came in time. The server cancels what it was running. */
export class TimeoutError extends PhantomDBError {
  override readonly name = 'TimeoutError'
}

/** The server wants a token, another token, or a caller on its own machine. */
export class AuthError extends PhantomDBError {
  override readonly name = 'AuthError'
}

/** The transaction is gone, and nothing of it was kept: it was idle for too long, or the server was restarted. */
export class TransactionExpiredError extends PhantomDBError {
  override readonly name = 'TransactionExpiredError'
}

/** The call cannot be made like this; the database was not asked. */
export class InterfaceError extends PhantomDBError {
  override readonly name = 'InterfaceError'
}

/** The database refused something, for a reason no subclass names. */
export class DatabaseError extends PhantomDBError {
  override readonly name: string = 'DatabaseError'
}

/** A value does not fit its column: out of range, not a date, too long. Class 22. */
export class DataError extends DatabaseError {
  override readonly name = 'DataError'
}

/** A constraint would be broken. Class 23. */
export class IntegrityError extends DatabaseError {
  override readonly name: string = 'IntegrityError'
}

/** A row with this key is there already. 23505. */
export class UniqueViolationError extends IntegrityError {
  override readonly name = 'UniqueViolationError'
}

/** The row that is referred to is missing, or still referred to. 23503. */
export class ForeignKeyViolationError extends IntegrityError {
  override readonly name = 'ForeignKeyViolationError'
}

/** A column that needs a value got none. 23502. */
export class NotNullViolationError extends IntegrityError {
  override readonly name = 'NotNullViolationError'
}

/** A CHECK does not hold. 23514. */
export class CheckViolationError extends IntegrityError {
  override readonly name = 'CheckViolationError'
}

/** The database could not do it now: connections, resources, conflicts, shutdown. Classes 08 40 53 55 57 58. */
export class OperationalError extends DatabaseError {
  override readonly name: string = 'OperationalError'
}

/** Another transaction came first; run this one again. 40001. */
export class SerializationError extends OperationalError {
  override readonly name = 'SerializationError'
}

/** Two transactions waited for each other; run this one again. 40P01. */
export class DeadlockError extends OperationalError {
  override readonly name = 'DeadlockError'
}

/** The SQL is wrong: syntax, an unknown table or column, missing rights. Classes 42 3D 3F 26. */
export class ProgrammingError extends DatabaseError {
  override readonly name = 'ProgrammingError'
}

/** The database or its transaction is in a state in which this cannot run. Classes 25 XX. */
export class InternalError extends DatabaseError {
  override readonly name = 'InternalError'
}

/** The database does not have this feature. Class 0A. */
export class NotSupportedError extends DatabaseError {
  override readonly name = 'NotSupportedError'
}

type DatabaseErrorClass = new (message: string, facts: ErrorFacts) => DatabaseError

const byState: Readonly<Record<string, DatabaseErrorClass>> = {
  '23502': NotNullViolationError,
  '23503': ForeignKeyViolationError,
  '23505': UniqueViolationError,
  '23514': CheckViolationError,
  '40001': SerializationError,
  '40P01': DeadlockError,
}

const byClass: Readonly<Record<string, DatabaseErrorClass>> = {
  '08': OperationalError,
  '0A': NotSupportedError,
  '22': DataError,
  '23': IntegrityError,
  '25': InternalError,
  '26': ProgrammingError,
  '3D': ProgrammingError,
  '3F': ProgrammingError,
  '40': OperationalError,
  '42': ProgrammingError,
  '53': OperationalError,
  '55': OperationalError,
  '57': OperationalError,
  '58': OperationalError,
  XX: InternalError,
}

/**
 * The error of the class that PostgreSQL's code calls for
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html); a code of an unknown class gives a plain
 * {@link DatabaseError}.
 */
export function databaseError(message: string, sqlstate: string, cause?: unknown): DatabaseError {
  return databaseErrorWith(message, cause === undefined ? { sqlstate } : { sqlstate, cause })
}

/** {@link databaseError} with all that is known. */
export function databaseErrorWith(message: string, facts: ErrorFacts & { sqlstate: string }): DatabaseError {
  const { sqlstate } = facts
  const ErrorClass = byState[sqlstate] ?? byClass[sqlstate.slice(0, 2)] ?? DatabaseError
  return new ErrorClass(message, facts)
}
