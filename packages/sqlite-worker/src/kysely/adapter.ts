import { SqliteAdapter, type Kysely } from 'kysely'
import { SqliteWorkerConnection } from './connection.ts'

/**
 * Kysely's own relies on there being one connection, which the Migrator reserves; here the lock is the transaction that
 * all pending migrations run in. It holds the file's write lock, so that other processes wait as well.
 */
export class SqliteWorkerAdapter extends SqliteAdapter {
  /** When the last one that asked for the lock has given it back. */
  #free: Promise<void> = Promise.resolve()
  #release: (() => void) | undefined

  override get supportsTransactionalDdl(): boolean {
    return true
  }

  /** For migrators of this process without transactions; also lets the transaction that follows take its time. */
  override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
    const previous = this.#free
    let release = (): void => {}
    this.#free = new Promise((resolve) => (release = resolve))
    await previous
    this.#release = release
    await db.getExecutor().provideConnection(async (connection) => {
      if (connection instanceof SqliteWorkerConnection) connection.isMigrating = true
    })
  }

  override async releaseMigrationLock(): Promise<void> {
    this.#release?.()
  }
}
