import { MigrationError } from '../errors.ts'
import type { Params } from '../values.ts'
import type { CheckedMigration } from './migration.ts'

/** Where statements are run: what a worker and a transaction have in common. */
export interface MigrationConnection {
  execute(sql: string, params?: Params): PromiseLike<unknown>
}

/** A migration that the database has. */
export interface AppliedMigration {
  readonly version: string
  readonly name: string
  /** When, to the second; undefined where the file does not tell. */
  readonly appliedAt: Date | undefined
  /** SHA-256 of its script, in hexadecimal; undefined where the Python package applied it, which keeps none. */
  readonly checksum: string | undefined
  /** The script that undoes it, where one was given. */
  readonly down: string | undefined
}

// The table of the Python package sqlite-worker, which goes on working on the same file: further columns may be NULL.
const TABLE = `CREATE TABLE _migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  version TEXT UNIQUE NOT NULL,
  name TEXT NOT NULL,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  checksum TEXT,
  down_sql TEXT
)`
const REQUIRED = ['version', 'name', 'applied_at']
const ADDED = ['checksum', 'down_sql']

/** The migrations a database has, in the order they were applied. Changes nothing. */
export async function readHistory(connection: MigrationConnection): Promise<AppliedMigration[]> {
  const columns = await columnsOf(connection)
  return columns.size === 0 ? [] : readRows(connection, columns)
}

/** As {@link readHistory}, and makes the table ready to be written to. */
export async function openHistory(connection: MigrationConnection): Promise<AppliedMigration[]> {
  const columns = await columnsOf(connection)
  if (columns.size === 0) {
    await connection.execute(TABLE)
    return []
  }
  for (const name of ADDED) {
    if (!columns.has(name)) await connection.execute(`ALTER TABLE _migrations ADD COLUMN ${name} TEXT`)
  }
  return readRows(connection, new Set([...columns, ...ADDED]))
}

/** Notes that a migration was applied. */
export async function addToHistory(
  connection: MigrationConnection,
  { version, name, checksum, down }: CheckedMigration,
): Promise<void> {
  const sql = 'INSERT INTO _migrations (version, name, checksum, down_sql) VALUES (?, ?, ?, ?)'
  await connection.execute(sql, [version, name, checksum, down ?? null])
}

/** Notes that a migration was rolled back. */
export async function removeFromHistory(connection: MigrationConnection, version: string): Promise<void> {
  await connection.execute('DELETE FROM _migrations WHERE version = ?', [version])
}

async function columnsOf(connection: MigrationConnection): Promise<Set<string>> {
  const rows = await connection.execute("SELECT name FROM pragma_table_info('_migrations', 'main')")
  const columns = new Set((rows as { name: string }[]).map(({ name }) => name))
  if (columns.size > 0 && !REQUIRED.every((name) => columns.has(name))) {
    throw new MigrationError('ERR_MIGRATION_TABLE', 'The table _migrations is not one of this package')
  }
  return columns
}

interface HistoryRow {
  readonly version: string
  readonly name: string
  readonly applied_at: string | null
  readonly checksum: string | null
  readonly down_sql: string | null
}

async function readRows(
  connection: MigrationConnection,
  columns: ReadonlySet<string>,
): Promise<AppliedMigration[]> {
  const added = ADDED.map((name) => (columns.has(name) ? name : `NULL AS ${name}`)).join(', ')
  // text in UTC, without a mark that says so
  const appliedAt = "strftime('%Y-%m-%dT%H:%M:%fZ', applied_at) AS applied_at"
  const order = columns.has('id') ? 'id' : 'rowid'
  const rows = await connection.execute(
    `SELECT version, name, ${appliedAt}, ${added} FROM main._migrations ORDER BY ${order}`,
  )
  return (rows as HistoryRow[]).map((row) => ({
    version: row.version,
    name: row.name,
    appliedAt: row.applied_at === null ? undefined : new Date(row.applied_at),
    checksum: row.checksum ?? undefined,
    down: row.down_sql ?? undefined,
  }))
}
