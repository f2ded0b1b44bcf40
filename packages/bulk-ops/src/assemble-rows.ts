import type { EncodedBatch } from './encode.ts'
import type { Row } from './executor.ts'
import type { ColumnMeta } from './table-meta.ts'

/** A row of values as the database returned them, in the order of the columns that were asked for. */
export type RawRow = readonly unknown[]

/** Decodes rows which the database returned whole. */
export function decodeRows(columns: readonly ColumnMeta[], raws: readonly RawRow[]): Row[] {
  return raws.map((raw) => {
    const row: Row = {}
    for (const [at, { key, decode }] of columns.entries()) row[key] = decodeCell(raw[at], decode)
    return row
  })
}

/** Puts the rows of a batch together: what was given, and what only the database knew. */
export function assembleRows(
  wanted: readonly ColumnMeta[],
  { columns, cells, unknown }: EncodedBatch,
  returned: readonly RawRow[],
): Row[] {
  if (wanted.length === 0) return []
  const sources = wanted.map((column) => ({
    key: column.key,
    returnedAt: unknown.indexOf(column),
    givenAt: columns.indexOf(column),
    decode: unknown.includes(column) ? column.decode : column.restore,
  }))
  const count = cells.length / columns.length
  const rows: Row[] = []
  for (let index = 0; index < count; index += 1) {
    const row: Row = {}
    for (const { key, returnedAt, givenAt, decode } of sources) {
      const value = returnedAt < 0 ? cells[index * columns.length + givenAt] : returned[index]?.[returnedAt]
      row[key] = decodeCell(value, decode)
    }
    rows.push(row)
  }
  return rows
}

function decodeCell(value: unknown, decode: (value: unknown) => unknown): unknown {
  return value === null || value === undefined ? null : decode(value)
}
