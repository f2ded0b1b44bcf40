import { Column, getTableName, is, SQL, Subquery } from 'drizzle-orm'
import type { SelectedFieldsOrdered } from 'drizzle-orm/sqlite-core'
import { asBuffer } from '../blobs.ts'
import { narrowed, narrowedStrictly } from './narrow-integers.ts'

/** Which tables of a join always have a row, by name; Drizzle's query builders know. */
export type JoinsNotNullable = Record<string, boolean> | undefined

export type RowMapper = (row: unknown[]) => unknown

type Field = SelectedFieldsOrdered[number]['field']
type Node = Record<string, unknown>

interface Decoder {
  mapFromDriverValue(value: unknown): unknown
}

/** Whether any of these columns may hold integers beyond 2^53 - 1, so that they are to be read as bigints. */
export function mayHoldInt64(fields: SelectedFieldsOrdered): boolean {
  return fields.some(({ field }) => is(field, Column) && (isNumeric(field) || field.dataType === 'custom'))
}

/**
 * Does what Drizzle's `mapResultRow` does, prepared once per query instead of for every row: decodes the values of a row
 * by their columns and places them in an object.
 */
export function createRowMapper(fields: SelectedFieldsOrdered, joins: JoinsNotNullable): RowMapper {
  const targets = fields.map(({ path, field }) => ({ path, decode: decoderOf(field) }))
  const optionalNodes = joins ? nodesOfOptionalTables(fields, joins) : []
  return (row) => {
    const result: Node = {}
    for (let i = 0; i < targets.length; i++) {
      const { path, decode } = targets[i] as (typeof targets)[number]
      const value = row[i]
      nodeOf(result, path)[path.at(-1) as string] = value === null ? null : decode(value)
    }
    for (const { name, firstColumn } of optionalNodes) {
      if ((result[name] as Node)[firstColumn] === null) result[name] = null
    }
    return result
  }
}

/** The object that holds the value of a path, made where it is missing. */
function nodeOf(result: Node, path: readonly string[]): Node {
  let node = result
  for (let i = 0; i < path.length - 1; i++) node = (node[path[i] as string] ??= {}) as Node
  return node
}

function decoderOf(field: Field): (value: unknown) => unknown {
  const decoder = driverDecoderOf(field)
  const readInteger = integerReaderOf(field)
  return (value) => {
    if (typeof value === 'bigint') return decoder.mapFromDriverValue(readInteger(value))
    return decoder.mapFromDriverValue(typeof value === 'object' ? asBuffer(value) : value)
  }
}

function driverDecoderOf(field: Field): Decoder {
  if (is(field, Column)) return field
  const expression = is(field, SQL) ? field : is(field, Subquery) ? field._.sql : field.sql
  return (expression as unknown as { decoder: Decoder }).decoder // not in Drizzle's types
}

/** What a column makes of an integer that was read as a bigint: a number, unless it can use the bigint itself. */
function integerReaderOf(field: Field): (value: bigint) => number | bigint {
  if (!is(field, Column) || field.dataType === 'custom') return narrowed
  if (isNumeric(field)) return (value) => value
  return (value) => narrowedStrictly(value, field.name)
}

/** A column of `numeric()`, whose modes turn any kind of number into theirs. */
function isNumeric(column: Column): boolean {
  return column.columnType.startsWith('SQLiteNumeric')
}

/**
 * The objects that are null as a whole when their first column is: tables that a join may find no row of. An object made
 * of columns of several tables never is.
 */
function nodesOfOptionalTables(
  fields: SelectedFieldsOrdered,
  joins: Record<string, boolean>,
): { name: string; firstColumn: string }[] {
  const nodes = new Map<string, { firstColumn: string; tables: Set<string> }>()
  for (const { path, field } of fields) {
    const [name, column] = path
    if (!is(field, Column) || path.length !== 2 || name === undefined || column === undefined) continue
    const node = nodes.get(name) ?? { firstColumn: column, tables: new Set() }
    nodes.set(name, node)
    node.tables.add(getTableName(field.table))
  }
  return [...nodes].flatMap(([name, { firstColumn, tables }]) => {
    const [table = '', ...others] = tables
    return others.length > 0 || joins[table] ? [] : [{ name, firstColumn }]
  })
}
