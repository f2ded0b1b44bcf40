export { SqliteWorkerDialect, type SqliteWorkerDialectConfig } from './dialect.ts'
