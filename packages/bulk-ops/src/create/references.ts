import type { Table } from 'drizzle-orm'
import { UnresolvedRefError } from '../errors.ts'
import type { Row } from '../executor.ts'
import { referencedRow } from '../ref.ts'
import type { ColumnMeta, TableMeta } from '../table-meta.ts'
import type { Chunk } from './chunks.ts'

/** The rows of a call that others refer to, and what is known of them. */
export class References {
  readonly #referenced = new Set<object>()
  readonly #keys = new Map<Table, Set<string>>()
  readonly #written = new Map<object, Row>()

  /** Notes to whom these rows refer, before any is written. */
  add(table: TableMeta, rows: readonly Row[]): void {
    for (const { columns, foreignTable, foreignColumns } of table.foreignKeys) {
      for (const [at, { key }] of columns.entries()) {
        for (const row of rows) {
          const referenced = referencedRow(row[key])
          if (!referenced) continue
          this.#referenced.add(referenced)
          const keys = this.#keys.get(foreignTable) ?? new Set()
          this.#keys.set(foreignTable, keys.add(foreignColumns[at] ?? ''))
        }
      }
    }
  }

  /** The columns that have to be known of a table's written rows, besides those that are wanted anyway. */
  wantedOf(table: TableMeta, wanted: readonly ColumnMeta[]): readonly ColumnMeta[] {
    const keys = this.#keys.get(table.table)
    if (!keys) return wanted
    const isWanted = (column: ColumnMeta) =>
      wanted.includes(column) || keys.has(column.key) || table.primaryKey.includes(column)
    return table.columns.filter(isWanted)
  }

  /** Takes note of what was written for the rows of a chunk. */
  keep(chunk: Chunk, written: readonly Row[]): void {
    for (const [at, row] of written.entries()) {
      const given = chunk.rows[at]
      if (given && this.#referenced.has(given)) this.#written.set(given, row)
    }
  }

  /**
   * The rows of a chunk with the keys of the rows they refer to: of those written before, or as the objects
   * themselves have them.
   * @throws {UnresolvedRefError} for a `ref()` in a column that is no foreign key, or to a row without a key
   */
  resolve(table: TableMeta, chunk: Chunk): readonly Row[] {
    const columns = table.columns.filter(({ key }) => chunk.rows.some((row) => referencedRow(row[key])))
    if (columns.length === 0) return chunk.rows
    return chunk.rows.map((row, at) => {
      const resolved = { ...row }
      for (const { key } of columns) {
        const referenced = referencedRow(row[key])
        if (!referenced) continue
        const facts = { table: table.name, column: key, rowIndex: chunk.indexes[at] ?? at }
        const foreignKey = foreignKeyOf(table, key)
        if (foreignKey === undefined) throw new UnresolvedRefError(facts, 'is in no column of a foreign key')
        const value = (this.#written.get(referenced) ?? (referenced as Row))[foreignKey]
        if (value === undefined || value === null || referencedRow(value)) {
          throw new UnresolvedRefError(facts, 'names a row that has no key and is not created before')
        }
        resolved[key] = value
      }
      return resolved
    })
  }
}

/** The property of the referenced table to which a column refers. */
function foreignKeyOf(table: TableMeta, column: string): string | undefined {
  for (const { columns, foreignColumns } of table.foreignKeys) {
    const at = columns.findIndex(({ key }) => key === column)
    if (at >= 0) return foreignColumns[at]
  }
  return undefined
}
