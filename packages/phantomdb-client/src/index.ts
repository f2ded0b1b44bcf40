export { connect, PhantomDBClient, type Health } from './client.ts'
export type { ColumnDefinition, ReferentialAction } from './columns.ts'
export { Database } from './database.ts'
export {
  AuthError,
  CheckViolationError,
  ConnectionError,
  databaseError,
  DatabaseError,
  DataError,
  DeadlockError,
  ForeignKeyViolationError,
  IntegrityError,
  InterfaceError,
  InternalError,
  isPhantomDBError,
  NotNullViolationError,
  NotSupportedError,
  OperationalError,
  PhantomDBError,
  ProgrammingError,
  SerializationError,
  TimeoutError,
  TransactionExpiredError,
  UniqueViolationError,
  type ErrorFacts,
} from './errors.ts'
export type { Filter, FilterObject, FilterValue, Operators, Selection } from './filter.ts'
export type { ConnectOptions, ConnectOptionsWithUrl } from './options.ts'
export { Queryable, type QueryResult, type Statement } from './queryable.ts'
export {
  Table,
  type InsertedRow,
  type InsertedRows,
  type InsertOptions,
  type Row,
  type SelectOptions,
} from './table.ts'
export { Transaction, type BeginOptions, type TransactionOptions } from './transaction.ts'
export type { CallOptions } from './transport.ts'
