export { drizzle, type SqliteWorkerDatabase } from './database.ts'
export type { SqliteWorkerRunResult } from './executor.ts'
export { migrate } from './migrate.ts'
export type { SqliteWorkerTransaction } from './session.ts'
