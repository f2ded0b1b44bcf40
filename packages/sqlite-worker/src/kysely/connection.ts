import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { withBuffers } from '../blobs.ts'
import { UsageError } from '../errors.ts'
import type { Params } from '../values.ts'
import { HeldTransaction } from './held-transaction.ts'
import type { KyselyWorker, Scope, TransactionOptions } from './worker.ts'

const SETS_FOREIGN_KEYS = /^\s*pragma\s+(?:\w+\s*\.\s*)?foreign_keys\s*[=(]/i

/** Where the queries of one Kysely connection go: to the worker, or to the transaction that was begun on it. */
export class SqliteWorkerConnection implements DatabaseConnection {
  readonly #worker: KyselyWorker
  #transaction: HeldTransaction | undefined
  /** Those that are open, the innermost last. */
  readonly #savepoints: { readonly name: string; readonly nested: HeldTransaction }[] = []
  /** Migrations take as long as they take. */
  isMigrating = false

  constructor(worker: KyselyWorker) {
    this.#worker = worker
  }

  async executeQuery<R>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<R>> {
    const outcome = await this.#scopeFor(sql).execute(sql, parameters as Params)
    return toQueryResult<R>(outcome, query.kind === 'InsertQueryNode')
  }

  async *streamQuery<R>({ sql, parameters }: CompiledQuery, chunkSize = 100): AsyncGenerator<QueryResult<R>> {
    let rows: R[] = []
    for await (const row of this.#scopeFor(sql).stream(sql, parameters as Params)) {
      rows.push(row as R)
      if (rows.length < chunkSize) continue
      yield { rows: withBuffers(rows) }
      rows = []
    }
    if (rows.length > 0) yield { rows: withBuffers(rows) }
  }

  /** Resolves when it is its turn. Inside a transaction of the worker it is a part of that. */
  async begin(options: TransactionOptions): Promise<void> {
    const all = this.isMigrating ? { ...options, timeoutMs: Infinity } : options
    this.#transaction = await HeldTransaction.begin((run) => this.#worker.transaction(run, all))
  }

  /** When it rejects, nothing stays, and further queries reject until `rollback` is called. */
  async commit(): Promise<void> {
    await this.#endSavepoints('commit')
    await this.#transaction?.commit()
    this.#transaction = undefined
  }

  /** Does nothing for a transaction that has ended by itself. */
  async rollback(): Promise<void> {
    await this.#endSavepoints('undo').catch(() => {}) // it goes down with the transaction
    await this.#transaction?.undo().catch(() => {})
    this.#transaction = undefined
  }

  async openSavepoint(name: string): Promise<void> {
    const scope = this.#innermost
    const nested = await HeldTransaction.begin((run) => scope.transaction(run))
    this.#savepoints.push({ name, nested })
  }

  /** Undoes all since the savepoint, which stays. */
  async rollbackToSavepoint(name: string): Promise<void> {
    await this.#endSavepoints('undo', this.#indexOf(name))
    await this.openSavepoint(name)
  }

  async releaseSavepoint(name: string): Promise<void> {
    await this.#endSavepoints('commit', this.#indexOf(name))
  }

  /** Ends those from an index on, the innermost first. */
  async #endSavepoints(how: 'commit' | 'undo', from = 0): Promise<void> {
    for (const { nested } of this.#savepoints.splice(from).toReversed()) await nested[how]()
  }

  #indexOf(name: string): number {
    const wanted = name.toLowerCase() // as SQLite compares them
    const index = this.#savepoints.findLastIndex((savepoint) => savepoint.name.toLowerCase() === wanted)
    if (index >= 0) return index
    throw new UsageError(
      'ERR_INVALID_ARGUMENT',
      `No savepoint ${JSON.stringify(name)} is open in this transaction`,
    )
  }

  get #innermost(): Scope {
    return (this.#savepoints.at(-1)?.nested ?? this.#transaction)?.scope ?? this.#worker
  }

  #scopeFor(sql: string): Scope {
    if (this.#transaction && SETS_FOREIGN_KEYS.test(sql)) {
      throw new UsageError(
        'ERR_TRANSACTION_CONTROL',
        'PRAGMA foreign_keys has no effect inside a transaction; a migration that needs it needs a Migrator with ' +
          'disableTransactions: true',
      )
    }
    return this.#innermost
  }
}

interface WriteOutcome {
  readonly changes: number
  readonly lastInsertRowid: number | bigint
  readonly rows?: unknown[]
}

function toQueryResult<R>(outcome: unknown, isInsert: boolean): QueryResult<R> {
  if (Array.isArray(outcome)) return { rows: withBuffers(outcome as R[]) }
  const { changes, lastInsertRowid, rows = [] } = outcome as WriteOutcome
  const hasInserted = changes > 0 && (isInsert || lastInsertRowid !== 0)
  return {
    rows: withBuffers(rows as R[]),
    numAffectedRows: BigInt(changes),
    ...(hasInserted && { insertId: BigInt(lastInsertRowid) }),
  }
}
