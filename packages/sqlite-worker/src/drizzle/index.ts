export { drizzle, SqliteWorkerDatabase } from './database.ts'
export type { SqliteWorkerRunResult } from './executor.ts'
export { migrate } from './migrate.ts'
export { SqliteWorkerTransaction } from './session.ts'
