import { AsyncResource } from 'node:async_hooks'
import { backUp, type BackupOptions } from './backup.ts'
import { checkOptions } from './check-options.ts'
import { Connection } from './connection.ts'
import { Engine } from './engine/engine.ts'
import type { WorkerStats } from './engine/stats.ts'
import { StatementError, TransactionError, UsageError } from './errors.ts'
import type { Hook, HookName } from './hooks.ts'
import { offerKillThread } from './kill-thread.ts'
import type { AppliedMigration } from './migrations/history.ts'
import type { Migration } from './migrations/migration.ts'
import { Migrator } from './migrations/migrator.ts'
import type { MigrateOptions } from './migrations/options.ts'
import type { MigrationStatus } from './migrations/plan.ts'
import type { MigrationStep } from './migrations/step.ts'
import { durationMs, resolveSqliteWorkerOptions, type SqliteWorkerOptions } from './options.ts'
import { OpenTransaction, type TransactionCallback } from './transaction.ts'
import type { TransactionOptions } from './transaction-options.ts'
import { Transactions } from './transactions.ts'

export interface CloseOptions {
  /** Whether what waits is run first; otherwise it rejects with {@link ClosedError}. @default true */
  drain?: boolean
  /**
   * How long to wait for that, in milliseconds. Then the threads end after the statement they are in, at most about a
   * second later: SQLite cannot be interrupted, so one that takes longer is left behind. @default Infinity
   */
  timeoutMs?: number
}

/** What a checkpoint did: see https://www.sqlite.org/pragma.html#pragma_wal_checkpoint. */
export interface CheckpointResult {
  /** Whether something kept it from moving all of the log. */
  readonly busy: boolean
  /** Pages in the write-ahead log, and how many of them are in the database now; -1 without a log. */
  readonly logPages: number
  readonly checkpointedPages: number
}

/**
 * One SQLite file behind a thread of its own: calls return at once, run in order, and share commits.
 *
 * @example
 * const worker = new SqliteWorker('analytics.db')
 * await worker.execute('CREATE TABLE IF NOT EXISTS page_views (url TEXT, at TEXT)')
 * await worker.insert('page_views', { url: '/', at: new Date() })
 * await worker.close()
 */
export class SqliteWorker extends Connection implements AsyncDisposable {
  readonly #engine: Engine
  readonly #transactions: Transactions
  readonly #migrator: Migrator

  /**
   * Opens (and creates) a file, or `':memory:'`. Returns at once; a file that cannot be opened makes every call reject
   * with {@link OpenError}.
   * @throws {InvalidOptionError} when an option is unknown or does not fit. @throws {UsageError} for a file that is no path.
   */
  constructor(file: string, options: SqliteWorkerOptions = {}) {
    if (typeof file !== 'string' || file === '') {
      throw new UsageError('ERR_INVALID_ARGUMENT', `Expected file to be a non-empty path, got ${typeof file}`)
    }
    const resolved = resolveSqliteWorkerOptions(options)
    // the handler's own calls belong to no transaction, whoever's error it is told of
    const onUnobservedError = AsyncResource.bind(resolved.onUnobservedError)
    const onSlowQuery = AsyncResource.bind(resolved.onSlowQuery)
    const engine = new Engine(file, { ...resolved, onUnobservedError, onSlowQuery })
    const transactions = new Transactions(engine)
    super(engine, () => transactions.currentLane())
    this.#engine = engine
    offerKillThread(this, (which) => engine.kill(which))
    this.#transactions = transactions
    this.#migrator = new Migrator(this)
  }

  /**
   * Runs a callback whose statements are committed together when it resolves, and undone when it throws or when a
   * statement it did not await failed. Use the `tx` it gets. Calls on this worker made inside the callback belong to
   * the transaction too; calls from anywhere else wait until it ends and are never part of it.
   *
   * Inside another transaction's callback it runs as a nested one, for which only `timeoutMs` and `signal` count. Transactions run one after another, in order.
   *
   * Rejects with what the callback threw, with the error of BEGIN or COMMIT, or with {@link TransactionError} after
   * `timeoutMs`. Whenever it rejects, nothing was committed, except after a {@link WorkerDiedError} whose
   * `maybeCommitted` is true.
   */
  async transaction<T>(fn: TransactionCallback<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#transactions.run(fn, options)
  }

  /**
   * Begins a transaction that is ended by hand, with `commit()` or `rollback()`, or by its timeout. Resolves when it is
   * its turn; everything else waits until it has ended. Only calls on what it resolves to belong to it. Prefer
   * {@link transaction}, which cannot be forgotten: one that its timeout ends is reported to `onUnobservedError`, and
   * `commit()` rejects.
   */
  async beginTransaction(options: TransactionOptions = {}): Promise<OpenTransaction> {
    return this.#transactions.begin(options)
  }

  /** Commits a transaction of {@link beginTransaction}: `tx.commit()`. */
  async commit(tx: OpenTransaction): Promise<void> {
    await openTransaction(tx).commit()
  }

  /** Undoes a transaction of {@link beginTransaction}: `tx.rollback()`. */
  async rollback(tx: OpenTransaction): Promise<void> {
    await openTransaction(tx).rollback()
  }

  /**
   * Runs a function outside of the transaction whose callback calls it: its calls on this worker wait until that
   * transaction has ended, so do not await them within it.
   */
  outside<T>(fn: () => T): T {
    return this.#transactions.outside(fn)
  }

  /** Whether the calling code runs inside the callback of a transaction that has not ended, so that calls on this worker belong to it. */
  get isInTransaction(): boolean {
    return this.#transactions.isInside
  }

  /**
   * Calls a function after each statement of a kind, once it is committed: not for what was rolled back. Hooks run
   * outside of transactions, in the order of the statements; nothing waits for them. What they throw is reported to
   * `onUnobservedError`. @throws {UsageError} for an unknown name or no function.
   */
  registerHook(name: HookName, hook: Hook): void {
    this.#engine.hooks.register(name, hook)
  }

  /** Takes one hook back, or all of a name. Returns whether there was one. @throws {UsageError} for an unknown name. */
  unregisterHook(name: HookName, hook?: Hook): boolean {
    return this.#engine.hooks.unregister(name, hook)
  }

  /** How many operations have no outcome yet. */
  get queueSize(): number {
    return this.#engine.limits.size
  }

  /** Resolves once the queue holds less than `maxQueueSize` and `maxQueueBytes`: for producers that do not await each call. */
  async whenReady(): Promise<void> {
    return this.#engine.limits.ready()
  }

  /** What waits, how long it took, how large the files are. Counts from the opening. */
  stats(): WorkerStats {
    return this.#engine.stats()
  }

  /**
   * Copies the database, as it is now, into another file, whose content is replaced. Writers go on meanwhile, except on
   * `':memory:'` and with ATTACH or temporary tables. Rejects with {@link UsageError} for a path that is none, its own or
   * in no folder, and with {@link StatementError} when it cannot be written or is a file but no database.
   */
  async backup(path: string, options: BackupOptions = {}): Promise<void> {
    checkOptions(options, {
      progress: { expected: 'a function', accepts: (value) => typeof value === 'function' },
    })
    return this.#transactions.outside(() => backUp(this.#engine, path, options))
  }

  /** Reads the whole file and resolves to what is wrong with it: nothing, when the list is empty. */
  async integrityCheck(): Promise<string[]> {
    try {
      const rows = await this.execute('PRAGMA integrity_check', [], { rowMode: 'array' })
      const found = Array.isArray(rows) ? rows.map(([text]) => String(text)) : []
      return found.filter((text) => text !== 'ok')
    } catch (error) {
      if (error instanceof StatementError && error.sqliteCode.startsWith('SQLITE_CORRUPT'))
        return [error.message]
      throw error
    }
  }

  /** Moves the write-ahead log into the database; `'TRUNCATE'` also empties the log's file. */
  async checkpoint(mode: 'PASSIVE' | 'FULL' | 'RESTART' | 'TRUNCATE' = 'PASSIVE'): Promise<CheckpointResult> {
    if (!['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'].includes(mode))
      throw new UsageError('ERR_INVALID_ARGUMENT', "Expected 'PASSIVE', 'FULL', 'RESTART' or 'TRUNCATE'")
    const rows = await this.execute(`PRAGMA wal_checkpoint(${mode})`, [], { rowMode: 'array' })
    const [busy, logPages, checkpointedPages] = (Array.isArray(rows) ? rows[0] : undefined) ?? []
    return { busy: busy === 1, logPages: Number(logPages), checkpointedPages: Number(checkpointedPages) }
  }

  /**
   * Applies a migration (a script of one or more statements) in a transaction of its own. Resolves to false when the
   * database has that version already. `downSql` is kept for {@link rollbackMigration}. For a program with more than a
   * few of them, {@link migrate} applies a list.
   *
   * Rejects with {@link UsageError} for a script that begins or ends a transaction, or sets `PRAGMA foreign_keys`; with
   * {@link MigrationError} when SQLite refuses it, when the version was applied with another script, and when a later
   * version is applied. Nothing has changed then.
   */
  async applyMigration(version: string, name: string, upSql: string, downSql?: string): Promise<boolean> {
    this.#refuseInside('applyMigration()')
    return this.#migrator.apply({ version, name, up: upSql, down: downSql })
  }

  /**
   * Undoes a migration in a transaction of its own, with the script given or else the one that was kept with it.
   * Resolves to false when the database does not have it. Rejects as {@link applyMigration}, and when there is no script.
   */
  async rollbackMigration(version: string, downSql?: string): Promise<boolean> {
    this.#refuseInside('rollbackMigration()')
    return this.#migrator.rollback(version, downSql)
  }

  /** The migrations that the database has, in the order they were applied. */
  async getAppliedMigrations(): Promise<AppliedMigration[]> {
    return this.#migrator.applied()
  }

  /**
   * Applies what the database lacks of a list, in the order of versions, each in a transaction of its own that waits for
   * other processes: several may do so at once. Resolves to what this call did; nothing, when all was applied.
   *
   * Everything is checked before anything runs. Rejects as {@link applyMigration} at the first one that fails; those
   * before it (`completed` of the error) stay applied. With `dryRun` nothing does.
   *
   * @example
   * await worker.migrate([
   *   { version: '001', name: 'create users', up: 'CREATE TABLE users (name TEXT)', down: 'DROP TABLE users' },
   * ])
   */
  async migrate(list: readonly Migration[], options: MigrateOptions = {}): Promise<MigrationStep[]> {
    this.#refuseInside('migrate()')
    return this.#migrator.migrate(list, options)
  }

  /** How each migration of a list, and each that the database has, stands; in the order of versions. Changes nothing. */
  async migrationStatus(list: readonly Migration[]): Promise<MigrationStatus[]> {
    return this.#migrator.status(list)
  }

  /**
   * Waits for everything queued so far, for open transactions and streams, then closes the file and ends the threads.
   * Later calls reject with {@link ClosedError}. Closing twice is one closing.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkOptions(options, {
      drain: { expected: 'a boolean', accepts: (value) => typeof value === 'boolean' },
      timeoutMs: durationMs,
    })
    this.#refuseInside('close()')
    return this.#engine.close({ drain: options.drain ?? true, timeoutMs: options.timeoutMs ?? Infinity })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #refuseInside(call: string): void {
    if (!this.#transactions.isInside) return
    throw new TransactionError(
      'ERR_TRANSACTION_NESTED',
      `${call} inside a transaction would wait for the end of that transaction`,
    )
  }
}

function openTransaction(tx: OpenTransaction): OpenTransaction {
  if (tx instanceof OpenTransaction) return tx
  throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected a transaction that beginTransaction() gave')
}
