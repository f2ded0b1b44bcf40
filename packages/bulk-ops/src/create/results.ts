import type { Column, InferInsertModel, InferSelectModel, Table } from 'drizzle-orm'
import type { BulkCounts, Row } from '../executor.ts'
import type { Returning } from '../options.ts'
import type { Ref } from '../ref.ts'
import type { ColumnMeta, TableMeta } from '../table-meta.ts'

/** A row to create: as for Drizzle's insert, or with {@link Ref}s to other rows. */
export type RowInput<T extends Table> = {
  [K in keyof InferInsertModel<T>]: InferInsertModel<T>[K] | Ref
}

/** The primary key of a row: its value, or the values in order when it has several columns. */
export type PrimaryKeyOf<T extends Table> = [OwnKey<T['_']['columns']>] extends [never]
  ? readonly unknown[]
  : T['_']['columns'][OwnKey<T['_']['columns']>]['_']['data']

type OwnKey<C extends Record<string, Column>> = {
  [K in keyof C]: C[K]['_']['isPrimaryKey'] extends true ? K : never
}[keyof C]

/** What a call gives back for each row of a table. */
export type Returned<T extends Table, R extends Returning> = R extends 'ids'
  ? PrimaryKeyOf<T>
  : R extends 'rows'
    ? InferSelectModel<T>
    : never

/** What `bulkCreateInSteps` gives back. */
export type BulkCreateResult<T extends Table, R extends Returning> = R extends 'none'
  ? BulkCounts
  : Returned<T, R>[]

/** The columns that have to be known of written rows. */
export function wantedColumns(table: TableMeta, returning: Returning): readonly ColumnMeta[] {
  if (returning === 'none') return []
  return returning === 'rows' ? table.columns : table.primaryKey
}

/** A written row as the call gives it back. */
export function present({ primaryKey }: TableMeta, returning: Returning, row: Row): unknown {
  if (returning === 'rows') return row
  const [first, ...others] = primaryKey.map(({ key }) => row[key])
  return others.length === 0 ? first : [first, ...others]
}
