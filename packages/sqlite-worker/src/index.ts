export type { BackupOptions } from './backup.ts'
export type {
  BatchStatement,
  ExecuteArrayResult,
  ExecuteOptions,
  ExecuteResult,
  ReturningResult,
} from './connection.ts'
export type { Conditions, ConditionSet, Operators } from './crud/conditions.ts'
export type { ChangeOptions } from './crud/change.ts'
export type { InsertOptions } from './crud/insert.ts'
export type { SelectOptions } from './crud/select.ts'
export type { InputRow, ReturningOption, Storable } from './crud/statement.ts'
export type { OnConflict } from './crud/upsert.ts'
export type { BackupProgress } from './engine/backup-run.ts'
export type { OperationMessage, RestartMessage, TransactionMessage } from './engine/diagnostics.ts'
export type { Distribution } from './engine/meter.ts'
export type { ThreadStats, WorkerStats } from './engine/stats.ts'
export type { WriteResult, WriteResultArray } from './engine/results.ts'
export type { ReadValue, Row, RowArray, RowMode } from './engine/row-shape.ts'
export {
  AbortedError,
  ClosedError,
  errorCodes,
  InvalidOptionError,
  isSqliteWorkerError,
  MigrationError,
  OpenError,
  ProcedureError,
  QueueLimitError,
  SqliteWorkerError,
  StatementError,
  StreamError,
  TransactionError,
  UsageError,
  WorkerDiedError,
  type SqliteWorkerErrorCode,
} from './errors.ts'
export { hookNames, type Hook, type HookEvent, type HookName } from './hooks.ts'
export type { AppliedMigration } from './migrations/history.ts'
export type { Migration } from './migrations/migration.ts'
export type { MigrateOptions } from './migrations/options.ts'
export type { MigrationState, MigrationStatus } from './migrations/plan.ts'
export type { MigrationStep } from './migrations/step.ts'
export type { Consistency, SqliteWorkerOptions, Synchronous } from './options.ts'
export type { Procedures } from './procedures.ts'
export type { Int64Mode } from './protocol.ts'
export { SqliteWorker, type CheckpointResult, type CloseOptions } from './sqlite-worker.ts'
export { Token, type UnobservedErrorHandler } from './token.ts'
export { OpenTransaction, Transaction, type TransactionCallback } from './transaction.ts'
export type { TransactionOptions } from './transaction-options.ts'
export type { DateFormat, Params, Value } from './values.ts'
