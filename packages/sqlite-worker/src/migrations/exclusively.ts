import { randomInt } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { StatementError } from '../errors.ts'
import type { MigrationConnection } from './history.ts'

/** A transaction that migrations run in. */
export interface MigrationTransaction extends MigrationConnection {
  executeScript(sql: string): PromiseLike<unknown>
}

/** What migrations need of a worker. */
export interface MigrationTarget extends MigrationConnection {
  transaction<T>(
    fn: (tx: MigrationTransaction) => Promise<T>,
    options: { mode: 'immediate'; timeoutMs: number },
  ): Promise<T>
}

/** Between attempts: the worker has waited its own busyTimeoutMs each time. */
const PAUSE_MS = [20, 100] as const

/**
 * Runs a function in a transaction that holds the write lock of the file from its first statement on, however long it
 * takes. While another process has the lock, it is tried again for `lockTimeoutMs` and at least once: nothing has
 * happened until then.
 */
export async function exclusively<T>(
  target: MigrationTarget,
  fn: (tx: MigrationTransaction) => Promise<T>,
  lockTimeoutMs: number,
): Promise<T> {
  const deadline = performance.now() + lockTimeoutMs
  for (;;) {
    try {
      return await target.transaction(fn, { mode: 'immediate', timeoutMs: Infinity })
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error
    }
    await wait(randomInt(...PAUSE_MS))
  }
}

/** Whether another process has the lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof StatementError && error.sqliteCode.startsWith('SQLITE_BUSY')
}
