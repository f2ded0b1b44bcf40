/** Every code that an error of this package can carry. */
export const errorCodes = [
  'ERR_ATOMICITY',
  'ERR_BULK',
  'ERR_CYCLE',
  'ERR_INVALID_OPTION',
  'ERR_REFERENCE',
  'ERR_UNSUPPORTED',
] as const

/** One of {@link errorCodes}. */
export type BulkOpsErrorCode = (typeof errorCodes)[number]

const brand = Symbol.for('@outrider/bulk-ops/error')

/** Base of all errors of this package. Messages name tables and columns, never values. */
export abstract class BulkOpsError extends Error {
  abstract override readonly name: string
  abstract readonly code: BulkOpsErrorCode

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }
}

/** Whether a value is an error of this package, of this copy of it or another. */
export function isBulkOpsError(value: unknown): value is BulkOpsError | InvalidOptionError {
  return typeof value === 'object' && value !== null && brand in value
}

/** What a {@link BulkError} knows besides its cause. */
export interface BulkErrorFacts {
  readonly table: string
  readonly chunk: number
  readonly rowIndex: number | undefined
  readonly row: unknown
  readonly committedChunks: number
}

/** A chunk could not be written. `cause` is the error of the database, or of the encoding of a value. */
export class BulkError extends BulkOpsError {
  override readonly name = 'BulkError'
  override readonly code = 'ERR_BULK'
  /** SQL name of the table. */
  readonly table: string
  /** Which chunk of the table failed, from 0. */
  readonly chunk: number
  /** Which of the given rows is the first that cannot be written, from 0; undefined when it is not due to a row. */
  readonly rowIndex: number | undefined
  /** That row as it was given. */
  readonly row: unknown
  /** How many chunks of the table are committed and stay: always 0 with `atomic: true`. */
  readonly committedChunks: number

  constructor(facts: BulkErrorFacts, cause: unknown) {
    const where = facts.rowIndex === undefined ? `chunk ${facts.chunk}` : `row ${facts.rowIndex}`
    super(`Could not write ${where} of ${facts.table}`, { cause })
    this.table = facts.table
    this.chunk = facts.chunk
    this.rowIndex = facts.rowIndex
    this.row = facts.row
    this.committedChunks = facts.committedChunks
  }
}

/** The driver has no transactions, so it cannot do all or nothing. Nothing was written. */
export class AtomicityError extends BulkOpsError {
  override readonly name = 'AtomicityError'
  override readonly code = 'ERR_ATOMICITY'
  /** Drizzle's name of the driver's session. */
  readonly driver: string

  constructor(driver: string) {
    super(`${driver} cannot run transactions that wait; pass atomic: false to commit chunk by chunk`)
    this.driver = driver
  }
}

/** Tables refer to each other in a circle of foreign keys that cannot be null. */
export class CycleError extends BulkOpsError {
  override readonly name = 'CycleError'
  override readonly code = 'ERR_CYCLE'
  /** SQL names of the tables, each referring to the next; the last is the first again. */
  readonly path: readonly string[]
  /** The foreign keys of the circle, as `table(columns)`: one of them would have to be nullable. */
  readonly foreignKeys: readonly string[]

  constructor(path: readonly string[], foreignKeys: readonly string[]) {
    super(`Tables refer in a circle: ${path.join(' -> ')}; make one nullable of ${foreignKeys.join(', ')}`)
    this.path = path
    this.foreignKeys = foreignKeys
  }
}

/** A `ref()` names a row that has no key when it is needed. */
export class UnresolvedRefError extends BulkOpsError {
  override readonly name = 'UnresolvedRefError'
  override readonly code = 'ERR_REFERENCE'
  /** SQL name of the table whose row holds the `ref()`. */
  readonly table: string
  /** The property that holds it. */
  readonly column: string
  readonly rowIndex: number

  constructor(facts: { table: string; column: string; rowIndex: number }, why: string) {
    super(`The ref() in ${facts.column} of row ${facts.rowIndex} of ${facts.table} ${why}`)
    this.table = facts.table
    this.column = facts.column
    this.rowIndex = facts.rowIndex
  }
}

/** A table or database that this package does not know: neither SQLite's nor PostgreSQL's, or not of one kind. */
export class UnsupportedError extends BulkOpsError {
  override readonly name = 'UnsupportedError'
  override readonly code = 'ERR_UNSUPPORTED'
}

/** An option is unknown or has a value that does not fit. A TypeError; {@link isBulkOpsError} knows it too. */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError'
  readonly code = 'ERR_INVALID_OPTION'

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }
}
