import { isSql } from './drizzle/tables.ts'
import { UnsupportedError } from './errors.ts'
import type { Batch, Row } from './executor.ts'
import type { ColumnMeta, Dialect, TableMeta } from './table-meta.ts'

/** Stands in a cell for the value that the database has for it. */
export const DEFAULT: unique symbol = Symbol('DEFAULT')

/** The rows of a batch as the driver takes them. */
export interface EncodedBatch {
  /** The columns to write. */
  readonly columns: readonly ColumnMeta[]
  /** The values row by row; null, {@link DEFAULT} or an SQL expression among them. */
  readonly cells: readonly unknown[]
  readonly hasDefaults: boolean
  readonly hasSql: boolean
  /** The wanted columns that only the database knows. */
  readonly unknown: readonly ColumnMeta[]
}

/**
 * Encodes rows as Drizzle's insert does: a value that is not given is `$defaultFn`, then the default of the table
 * definition, then `$onUpdate`.
 */
export function encodeBatch({ table, rows, wanted }: Batch): EncodedBatch {
  const columns = columnsToWrite(table.columns, rows, table.dialect)
  if (columns.length === 0) throw new UnsupportedError(`${table.name} has no column that can be given`)
  const cells: unknown[] = []
  cells.length = rows.length * columns.length
  const unknown = new Set(wanted.filter((column) => !columns.includes(column)))
  let hasDefaults = false
  let hasSql = false
  for (const [at, column] of columns.entries()) {
    const { key, encode } = column
    const fill = fillOf(column, table.dialect)
    const isWanted = wanted.includes(column)
    let cell = at
    for (const row of rows) {
      const value = row[key] === undefined ? fill() : row[key]
      if (value === null || value === DEFAULT) {
        cells[cell] = value
        hasDefaults ||= value === DEFAULT
        if (value === DEFAULT && isWanted) unknown.add(column)
      } else if (isSql(value)) {
        cells[cell] = value
        hasSql = true
      } else {
        const encoded = encode(value)
        cells[cell] = encoded
        if (isWanted && !column.isStoredAsGiven(encoded)) unknown.add(column)
      }
      cell += columns.length
    }
  }
  return { columns, cells, hasDefaults, hasSql, unknown: wanted.filter((column) => unknown.has(column)) }
}

function columnsToWrite(
  columns: readonly ColumnMeta[],
  rows: readonly Row[],
  dialect: Dialect,
): ColumnMeta[] {
  const insertable = columns.filter(({ isInsertable }) => isInsertable)
  const used = insertable.filter(
    (column) => isFilledHere(column, dialect) || rows.some((row) => row[column.key] !== undefined),
  )
  return used.length > 0 ? used : insertable.slice(0, 1)
}

/** Whether a missing value is known without the database. */
function isFilledHere(column: ColumnMeta, dialect: Dialect): boolean {
  if (column.makeDefault) return true
  if (column.defaultValue === undefined) return column.makeOnUpdate !== undefined
  return dialect === 'sqlite' && !isSql(column.defaultValue)
}

/** What a missing value becomes. SQLite has no keyword for the default in a list of values. */
function fillOf({ defaultValue, makeDefault, makeOnUpdate }: ColumnMeta, dialect: Dialect): () => unknown {
  if (dialect === 'sqlite') {
    return defaultValue === undefined ? (makeDefault ?? makeOnUpdate ?? (() => null)) : () => defaultValue
  }
  return makeDefault ?? (defaultValue === undefined ? makeOnUpdate : undefined) ?? (() => DEFAULT)
}

/** Whether rows, or the columns that an update touches, hold SQL expressions, which only Drizzle can write. */
export function holdsSql({ table, rows }: Batch): boolean {
  const touches = table.columns.some(({ makeOnUpdate }) => isSql(makeOnUpdate?.()))
  return touches || rows.some((row) => table.columns.some(({ key }) => isSql(row[key])))
}

/** The value of a row as the driver takes it. */
export function encodeCell(column: ColumnMeta, row: Row): unknown {
  const value = row[column.key]
  return value === null || value === undefined ? null : column.encode(value)
}

/** The columns with `$onUpdate` that an update sets although it is not given them. */
export function touchedColumns(table: TableMeta, given: readonly ColumnMeta[]): ColumnMeta[] {
  return table.columns.filter((column) => column.makeOnUpdate && !given.includes(column))
}
