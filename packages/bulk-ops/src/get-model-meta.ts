import type { Table } from 'drizzle-orm'
import { driverOf, type BulkDatabase } from './drizzle/databases.ts'
import { tableMeta } from './drizzle/tables.ts'
import type { TableMeta } from './table-meta.ts'

/**
 * What the definition of a table says: columns, keys, foreign keys and unique constraints.
 *
 * @param db a database with Drizzle's `casing` option, for the SQL names that it gives to columns without one
 * @throws {UnsupportedError} for anything but an SQLite or PostgreSQL table
 * @example
 * getModelMeta(books).foreignKeys.map(({ onDelete }) => onDelete) // ['cascade']
 */
export function getModelMeta(table: Table, db?: BulkDatabase): TableMeta {
  return db === undefined ? tableMeta(table) : tableMeta(table, driverOf(db).db.dialect.casing)
}
