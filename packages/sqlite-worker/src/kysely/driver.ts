import type { DatabaseConnection, Driver, TransactionSettings } from 'kysely'
import { SqliteWorkerConnection } from './connection.ts'
import type { KyselyWorker } from './worker.ts'

/** How a driver comes by its worker, and whether it is its own to close. */
export interface WorkerSource {
  readonly open: () => Promise<KyselyWorker>
  readonly isOwned: boolean
}

/** Hands out connections without end: only a transaction takes turns, in the worker. */
export class SqliteWorkerDriver implements Driver {
  readonly #source: WorkerSource
  #worker: KyselyWorker | undefined

  constructor(source: WorkerSource) {
    this.#source = source
  }

  async init(): Promise<void> {
    this.#worker = await this.#source.open()
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new SqliteWorkerConnection(this.#worker as KyselyWorker) // Kysely calls init first
  }

  async releaseConnection(): Promise<void> {}

  /** SQLite is always serializable; one that only reads does not take the write lock. */
  async beginTransaction(connection: DatabaseConnection, { accessMode }: TransactionSettings): Promise<void> {
    await own(connection).begin(accessMode === 'read only' ? { mode: 'deferred' } : {})
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await own(connection).commit()
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await own(connection).rollback()
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await own(connection).openSavepoint(name)
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await own(connection).rollbackToSavepoint(name)
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await own(connection).releaseSavepoint(name)
  }

  async destroy(): Promise<void> {
    if (this.#source.isOwned) await this.#worker?.close()
  }
}

function own(connection: DatabaseConnection): SqliteWorkerConnection {
  return connection as SqliteWorkerConnection
}
