import type { Params } from '../values.ts'

/** What a worker and its transactions have in common, as far as Kysely needs it. */
export interface Scope {
  execute(sql: string, params?: Params): PromiseLike<unknown>
  stream(sql: string, params?: Params): AsyncIterable<unknown>
  transaction<T>(run: (scope: Scope) => Promise<T>, options?: TransactionOptions): Promise<T>
}

/** What this entry needs of a worker: known by its shape, so that one of another copy of this package will do. */
export interface KyselyWorker extends Scope {
  close(): Promise<void>
}

export interface TransactionOptions {
  mode?: 'deferred'
  timeoutMs?: number
}
