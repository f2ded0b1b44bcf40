import type { ColumnMeta } from '../table-meta.ts'
import { arrayLiteral } from './array-literal.ts'
import { arrivalType, isArray } from './column-types.ts'

/** A statement and its parameters. */
export interface Query {
  readonly sql: string
  readonly params: readonly unknown[]
}

/** A query of the rows themselves, with a column `c0`, `c1`, ... for each given and their place in `ord`. */
export function givenRows(columns: readonly ColumnMeta[], cells: readonly unknown[]): Query {
  const params = columns.map((_, at) => arrayLiteral(everyNth(cells, at, columns.length)))
  const arrays = columns.map(
    (column, at) => `$${at + 1}::${isArray(column) ? 'text' : arrivalType(column)}[]`,
  )
  const names = columns.map((_, at) => `c${at}`)
  const values = columns.map((column, at) =>
    isArray(column) ? `c${at}::${arrivalType(column)} as c${at}` : `c${at}`,
  )
  return {
    sql: `select ${values.join(', ')}, ord from unnest(${arrays.join(', ')}) with ordinality as u(${names.join(', ')}, ord)`,
    params,
  }
}

function* everyNth(cells: readonly unknown[], from: number, width: number): Generator {
  for (let at = from; at < cells.length; at += width) yield cells[at]
}
