export type { ExecuteResult } from './connection.ts'
export type { Conditions, Operators } from './crud/conditions.ts'
export type { AllOption, InputRow, SelectOptions, Storable } from './crud/statements.ts'
export type { ReadValue, Row, WriteResult } from './engine/results.ts'
export {
  ClosedError,
  errorCodes,
  InvalidOptionError,
  isSqliteWorkerError,
  OpenError,
  SqliteWorkerError,
  StatementError,
  TransactionError,
  UsageError,
  WorkerDiedError,
  type SqliteWorkerErrorCode,
} from './errors.ts'
export type { SqliteWorkerOptions, Synchronous } from './options.ts'
export { SqliteWorker } from './sqlite-worker.ts'
export { Token, type UnobservedErrorHandler } from './token.ts'
export { Transaction, type TransactionCallback, type TransactionOptions } from './transaction.ts'
export type { Params, Value } from './values.ts'
