export { findPostgresBinaries, type FindBinariesOptions, type PostgresBinaries } from './binaries.ts'
export {
  EmbeddedPostgresError,
  isEmbeddedPostgresError,
  POSTGRES_ERROR_CODES,
  type PostgresErrorCode,
  type PostgresErrorFacts,
} from './errors.ts'
export type { PostgresLogger, StartPostgresOptions } from './options.ts'
export { locateDataDir, type LocateDataDirOptions } from './placement.ts'
export { startPostgres, type RunningPostgres } from './start.ts'
export { stopPostgres, type StopPostgresOptions } from './stop.ts'
