import { quote } from '../drizzle/tables.ts'
import { touchedColumns, type EncodedBatch } from '../encode.ts'
import type { ColumnMeta, TableMeta } from '../table-meta.ts'
import { arrayLiteral } from './array-literal.ts'
import { arrivalType, comparable, fullType, isArray } from './column-types.ts'
import { givenRows, type Query } from './given-rows.ts'
import { namesOf, qualifiedName } from './insert-queries.ts'

/** What an upsert did with a row, in the first column of its answer. */
export type Outcome = 'created' | 'lost' | 'unchanged' | 'updated'

/** An upsert of rows that all give the same columns. */
export interface UpsertOf {
  readonly table: TableMeta
  readonly encoded: EncodedBatch
  readonly target: readonly ColumnMeta[]
  /** The columns to overwrite, all of them given. */
  readonly update: readonly ColumnMeta[]
  readonly wanted: readonly ColumnMeta[]
}

/**
 * One statement that creates, updates or leaves alone, and answers for every row in order: the {@link Outcome} and
 * the wanted columns.
 *
 * A row that differs is updated and returned; one that does not is in the snapshot of before. A row that is in
 * neither was created by another transaction since with these same values: it is lost, and found when asked again.
 * `xmax` is 0 in a row version that nobody locked, which an update always does first.
 */
export function upsertQuery({ table, encoded, target, update, wanted }: UpsertOf): Query {
  const given = givenRows(encoded.columns, encoded.cells)
  const params = [...given.params]
  const touched = update.length > 0 ? touchedColumns(table, update) : []
  const sets = [
    ...update.map(({ name }) => `${quote(name)} = excluded.${quote(name)}`),
    ...touched.map((column) => {
      const type = isArray(column) ? 'text' : arrivalType(column)
      const place = params.push(arrayLiteral([column.encode(column.makeOnUpdate?.())]))
      return `${quote(column.name)} = (($${place}::${type}[])[1])::${arrivalType(column)}`
    }),
  ]
  const differs = update.map((column) => {
    const name = quote(column.name)
    return `${comparable(column, `existing.${name}`)} is distinct from ${comparable(column, `excluded.${name}`)}`
  })
  const action = sets.length > 0 ? `update set ${sets.join(', ')} where ${differs.join(' or ')}` : 'nothing'
  const returned = new Set([...target, ...wanted])
  const isKeyOf = (source: string) =>
    target.map((column) => `${source}.${quote(column.name)} = ${keyOf(encoded, column)}`).join(' and ')
  const firstKey = quote(target[0]?.name ?? '')
  const answer = wanted.map(({ name }) => {
    const column = quote(name)
    return `case when bulk_written.${firstKey} is null then existing.${column} else bulk_written.${column} end`
  })
  const values = encoded.columns.map((_, at) => `c${at}`).join(', ')
  const sql = `with bulk_given as (${given.sql}), bulk_written as (
    insert into ${qualifiedName(table)} as existing (${namesOf(encoded.columns)})
    select ${values} from bulk_given order by ord
    on conflict (${namesOf(target)}) do ${action}
    returning ${namesOf([...returned])}, xmax = 0 as bulk_created)
    select case when bulk_created and existing.${firstKey} is null then 'created'
      when bulk_written.${firstKey} is not null then 'updated'
      when existing.${firstKey} is not null then 'unchanged' else 'lost' end
      ${answer.map((each) => `, ${each}`).join('')}
    from bulk_given left join bulk_written on ${isKeyOf('bulk_written')}
    left join ${qualifiedName(table)} as existing on ${isKeyOf('existing')} order by ord`
  return { sql, params }
}

/** The given natural key as the column stores it: rounded, padded. */
function keyOf({ columns }: EncodedBatch, column: ColumnMeta): string {
  return `bulk_given.c${columns.indexOf(column)}::${fullType(column)}`
}
