import type { Params } from '../values.ts'

/** How a statement's rows are wanted: by column name, or as lists, which keep two columns of the same name apart. */
export interface ReadOptions {
  readonly rowMode?: 'object' | 'array'
  readonly int64?: 'bigint'
}

export interface BatchStatement extends ReadOptions {
  readonly sql: string
  readonly params: Params
}

interface ExecutorTransactionOptions {
  mode?: 'deferred' | 'immediate' | 'exclusive'
  timeoutMs?: number
}

/**
 * What this entry needs of a worker or of a transaction: known by its shape, so that one of another copy of this package
 * will do.
 */
export interface Executor {
  execute(sql: string, params?: Params, options?: ReadOptions): PromiseLike<unknown>
  batch(statements: readonly BatchStatement[]): PromiseLike<unknown[]>
  executeScript(sql: string): PromiseLike<unknown>
  transaction<T>(run: (tx: Executor) => Promise<T>, options?: ExecutorTransactionOptions): Promise<T>
}

/** What a statement did that writes. */
export interface SqliteWorkerRunResult {
  /** Rows inserted, updated or deleted by the statement itself, without those of triggers and cascades. */
  readonly changes: number
  /** Rowid of the last row inserted; 0 for a statement that is no INSERT. A bigint only beyond 2^53 - 1. */
  readonly lastInsertRowid: number | bigint
}

/** The rows of a statement that reads, or of a RETURNING clause. */
export function rowsOf(outcome: unknown): unknown[] {
  return Array.isArray(outcome) ? outcome : ((outcome as { rows?: unknown[] }).rows ?? [])
}

export function runResultOf(outcome: unknown): SqliteWorkerRunResult {
  return Array.isArray(outcome) ? { changes: 0, lastInsertRowid: 0 } : (outcome as SqliteWorkerRunResult)
}
