import { DrizzleQueryError } from 'drizzle-orm/errors'
import { readMigrationFiles, type MigrationConfig, type MigrationMeta } from 'drizzle-orm/migrator'
import { StatementError, UsageError } from '../errors.ts'
import { rowsOf, type Executor } from './executor.ts'

/** How often to wait again for the lock of another process, which may be migrating too. */
const BUSY_RETRIES = 10

/**
 * Applies the migrations of a folder that drizzle-kit made, each once: all that are pending in one transaction, or on an
 * error none. Processes that migrate the same file at the same time take turns, and nothing is applied twice. Where
 * nothing is pending it takes no lock.
 *
 * Migrations that switch foreign keys off, as drizzle-kit's do to rebuild a table, run with foreign keys off, so that
 * dropping the old table deletes no rows that refer to it. Statements of others never run in that state. It is checked
 * before COMMIT that no reference was broken.
 *
 * Rejects with a `DrizzleQueryError` that names the statement, whose `cause` is the worker's error; with
 * {@link StatementError} `SQLITE_CONSTRAINT_FOREIGNKEY` when a reference was broken; with {@link UsageError} when it
 * was called inside a transaction and would have to switch foreign keys off.
 * @example
 * await migrate(db, { migrationsFolder: 'drizzle' })
 */
export async function migrate(db: { readonly $client: Executor }, config: MigrationConfig): Promise<void> {
  const journal = new Journal(config.migrationsTable ?? '__drizzle_migrations', readMigrationFiles(config))
  for (let attempt = 0; ; attempt++) {
    try {
      await attemptMigration(db.$client, journal)
      return
    } catch (error) {
      if (attempt === BUSY_RETRIES || !isBusy(error)) throw error
    }
  }
}

async function attemptMigration(worker: Executor, journal: Journal): Promise<void> {
  const pending = await journal.pending(worker)
  if (pending.length === 0) return
  if (pending.some(switchesForeignKeys)) await withoutForeignKeys(worker, (tx) => journal.apply(tx))
  else await worker.transaction((tx) => journal.apply(tx), { timeoutMs: Infinity })
}

/** Migrations, and the table that remembers which of them were applied: the one of Drizzle's other drivers. */
class Journal {
  readonly #name: string
  readonly #table: string
  readonly #migrations: MigrationMeta[]

  constructor(table: string, migrations: MigrationMeta[]) {
    this.#name = table
    this.#table = `"${table.replaceAll('"', '""')}"`
    this.#migrations = migrations
  }

  /** As Drizzle's own drivers decide it: those made later than the last one that was applied. */
  async pending(executor: Executor): Promise<MigrationMeta[]> {
    const tables = 'SELECT count(*) AS value FROM sqlite_master WHERE name = ? COLLATE NOCASE'
    if ((await valueOf(executor, tables, [this.#name])) === 0) return this.#migrations
    const last = await valueOf(
      executor,
      `SELECT max(CAST(created_at AS INTEGER)) AS value FROM ${this.#table}`,
    )
    return this.#migrations.filter(({ folderMillis }) => last === null || last < folderMillis)
  }

  /** Asks again what is pending: another process may have been faster before this transaction got the lock. */
  async apply(tx: Executor): Promise<void> {
    await tx.execute(
      `CREATE TABLE IF NOT EXISTS ${this.#table} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`,
    )
    for (const { sql, hash, folderMillis } of await this.pending(tx)) {
      for (const script of sql) await runScript(tx, script)
      await tx.execute(`INSERT INTO ${this.#table} (hash, created_at) VALUES (?, ?)`, [hash, folderMillis])
    }
  }
}

async function runScript(tx: Executor, script: string): Promise<void> {
  try {
    await tx.executeScript(script)
  } catch (error) {
    throw new DrizzleQueryError(script, [], error as Error)
  }
}

function switchesForeignKeys({ sql }: MigrationMeta): boolean {
  return sql.some((script) => /\bpragma\s+foreign_keys\b/i.test(script))
}

/** Runs a transaction with foreign keys off. Its steps are queued at once, so that nothing of others comes between. */
async function withoutForeignKeys(worker: Executor, run: (tx: Executor) => Promise<void>): Promise<void> {
  const wasOn = await areForeignKeysOn(worker)
  const off = worker.execute('PRAGMA foreign_keys = OFF')
  const done = worker.transaction((tx) => runUnchecked(tx, run), { timeoutMs: Infinity })
  const on = wasOn ? worker.execute('PRAGMA foreign_keys = ON') : undefined
  const [, result] = await Promise.allSettled([off, done, on])
  if (result.status === 'rejected') throw result.reason
}

async function runUnchecked(tx: Executor, run: (tx: Executor) => Promise<void>): Promise<void> {
  if (await areForeignKeysOn(tx)) {
    throw new UsageError(
      'ERR_TRANSACTION_CONTROL',
      'A pending migration switches foreign keys off, which SQLite ignores inside a transaction: call migrate() outside',
    )
  }
  const broken = await brokenReferences(tx)
  await run(tx)
  if ((await brokenReferences(tx)) > broken) {
    throw new StatementError(
      'FOREIGN KEY constraint failed: the migrations leave references to rows that are gone',
      {
        sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY',
        sql: undefined,
      },
    )
  }
}

/** Whether the writing connection checks foreign keys. A SELECT would ask one that only reads. */
async function areForeignKeysOn(executor: Executor): Promise<boolean> {
  const [row] = rowsOf(await executor.execute('PRAGMA foreign_keys')) as { foreign_keys: number }[]
  return row?.foreign_keys === 1
}

async function brokenReferences(executor: Executor): Promise<number> {
  return (await valueOf(executor, 'SELECT count(*) AS value FROM pragma_foreign_key_check')) ?? 0
}

async function valueOf(executor: Executor, sql: string, params: string[] = []): Promise<number | null> {
  const [row] = rowsOf(await executor.execute(sql, params)) as { value: number | null }[]
  return row?.value ?? null
}

function isBusy(error: unknown): boolean {
  const { sqliteCode } = error as { sqliteCode?: unknown }
  return typeof sqliteCode === 'string' && sqliteCode.startsWith('SQLITE_BUSY')
}
