import { entityKind, type Column, type SQL, type Table } from 'drizzle-orm'
import { UnsupportedError } from '../errors.ts'
import type { Dialect } from '../table-meta.ts'
import type { Casing } from './tables.ts'

/**
 * Any Drizzle database or transaction for SQLite or PostgreSQL.
 *
 * The type names only what tells a Drizzle database from other values, so that it fits every driver and schema.
 */
export interface BulkDatabase {
  insert(table: never): unknown
  transaction(run: never): unknown
}

/** A statement of a Drizzle session. */
interface PreparedQuery {
  execute(): Promise<unknown>
}

/** A Drizzle session, as far as it is used here. */
interface Session {
  readonly client?: unknown
  readonly logger?: { logQuery(sql: string, params: readonly unknown[]): void }
  prepareQuery(
    query: { sql: string; params: readonly unknown[] },
    fields: undefined,
    name: undefined,
    isArrayMode: true,
    mapRows: (rows: unknown[][]) => unknown[][],
    touched: { type: 'insert'; tables: string[] },
  ): PreparedQuery
}

/** A query of Drizzle's builders; which of the calls exist depends on the dialect. */
export interface DrizzleQuery<T> {
  all(): T | Promise<T>
  run(): T | Promise<T>
  execute(): Promise<T>
}

type Fields = Record<string, Column>
type Row = Record<string, unknown>

interface DrizzleInsert extends DrizzleQuery<Row[]> {
  onConflictDoNothing(): DrizzleInsert
  returning(fields: Fields): DrizzleInsert
}

/** Drizzle's query builders, without the types that depend on a schema. */
interface DrizzleDatabase {
  readonly session: Session
  readonly dialect: { readonly casing: Casing }
  insert(table: Table): { values(rows: readonly Row[]): DrizzleInsert }
  select(fields: Fields): { from(table: Table): { where(condition: SQL | undefined): DrizzleQuery<Row[]> } }
  update(table: Table): {
    set(values: Row): {
      where(condition: SQL | undefined): { returning(fields: Fields): DrizzleQuery<Row[]> }
    }
  }
  transaction<T>(run: (tx: DrizzleDatabase) => Promise<T>): Promise<T>
}

/** A database with what is known of its driver. */
export interface Driver {
  readonly db: DrizzleDatabase
  readonly dialect: Dialect
  /** Drizzle's own name of the session's class, such as `NodePgSession`. */
  readonly kind: string
  /** Whether its calls return values instead of promises. */
  readonly isSynchronous: boolean
}

/** @throws {UnsupportedError} for anything but an SQLite or PostgreSQL database of Drizzle */
export function driverOf(database: BulkDatabase): Driver {
  const db = database as unknown as Partial<DrizzleDatabase> & { resultKind?: unknown }
  const dialect = dialectOf(kindsOf(db.dialect))
  if (!dialect || !db.session) {
    throw new UnsupportedError('Expected a Drizzle database or transaction for SQLite or PostgreSQL')
  }
  return {
    db: db as DrizzleDatabase,
    dialect,
    kind: kindsOf(db.session)[0] ?? 'unknown',
    isSynchronous: db.resultKind === 'sync',
  }
}

function dialectOf(kinds: readonly string[]): Dialect | undefined {
  if (kinds.includes('PgDialect')) return 'postgres'
  return kinds.includes('SQLiteDialect') ? 'sqlite' : undefined
}

/** Drizzle's names of an object's class and those it extends, which hold across copies of Drizzle. */
function kindsOf(value: unknown): string[] {
  const kinds: string[] = []
  for (let of: unknown = value; of; of = Object.getPrototypeOf(of)) {
    const made = (of as { constructor?: { [entityKind]?: string } }).constructor
    const kind = made?.[entityKind]
    if (kind !== undefined && kinds.at(-1) !== kind) kinds.push(kind)
  }
  return kinds
}
