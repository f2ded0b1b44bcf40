import { quote } from '../drizzle/tables.ts'
import { DEFAULT, type EncodedBatch } from '../encode.ts'
import type { ColumnMeta, TableMeta } from '../table-meta.ts'
import { givenRows, type Query } from './given-rows.ts'

/** The protocol counts parameters in 16 bits. */
const MAX_PARAMETERS = 65_535

/** The statements that insert a batch, in its order. */
export function insertQueries(
  table: TableMeta,
  encoded: EncodedBatch,
  { isIgnoring, returning }: { isIgnoring: boolean; returning: readonly ColumnMeta[] },
): Query[] {
  const end = `${isIgnoring ? ' on conflict do nothing' : ''}${returningClause(returning)}`
  const start = `insert into ${qualifiedName(table)} (${namesOf(encoded.columns)})`
  if (encoded.hasDefaults) return listsOfValues(encoded, start, end)
  const { sql, params } = givenRows(encoded.columns, encoded.cells)
  const values = encoded.columns.map((_, at) => `c${at}`).join(', ')
  return [{ sql: `${start} select ${values} from (${sql}) as given order by ord${end}`, params }]
}

/** Only a list of values can say DEFAULT for one row and not for the next. */
function listsOfValues({ columns, cells }: EncodedBatch, start: string, end: string): Query[] {
  const queries: Query[] = []
  const width = columns.length
  const step = Math.max(1, Math.floor(MAX_PARAMETERS / width)) * width
  for (let from = 0; from < cells.length; from += step) {
    const params: unknown[] = []
    const lists: string[] = []
    for (let at = from; at < Math.min(from + step, cells.length); at += width) {
      const list = cells
        .slice(at, at + width)
        .map((cell) => (cell === DEFAULT ? 'default' : `$${params.push(cell)}`))
      lists.push(`(${list.join(',')})`)
    }
    queries.push({ sql: `${start} values ${lists.join(',')}${end}`, params })
  }
  return queries
}

/** The name of a table with its schema. */
export function qualifiedName({ schema, name }: TableMeta): string {
  return schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`
}

/** The names of columns, as a list. */
export function namesOf(columns: readonly ColumnMeta[]): string {
  return columns.map(({ name }) => quote(name)).join(', ')
}

function returningClause(columns: readonly ColumnMeta[]): string {
  return columns.length > 0 ? ` returning ${namesOf(columns)}` : ''
}
