import type { Columns, Column } from '../tables/catalog.ts'
import { quoteIdentifier } from '../postgres/identifiers.ts'
import type { ColumnName, Condition, Literal } from './ast.ts'
import { conditionError } from './fail.ts'

/** Puts a literal into the SQL: as a placeholder, or quoted where placeholders are not possible. */
export type Bind = (value: string | boolean | null) => string

/**
 * The SQL of a condition over a table's columns.
 * @throws {CallError} `invalid_condition` naming a column the table does not have
 */
export function compileCondition(condition: Condition, columns: Columns, bind: Bind): string {
  const compile = (each: Condition): string => {
    switch (each.kind) {
      case 'and':
      case 'or': {
        if (each.items.length === 0) return each.kind === 'and' ? 'TRUE' : 'FALSE'
        return `(${each.items.map(compile).join(each.kind === 'and' ? ' AND ' : ' OR ')})`
      }
      case 'not':
        return `(NOT ${compile(each.item)})`
      case 'null':
        return `${quoted(each.column)} IS NULL`
      case 'in': {
        const column = find(each.column)
        if (each.values.length === 0) return 'FALSE'
        const values = each.values.map((value) => literal(value, column))
        return `${quoteIdentifier(column.name)} IN (${values.join(', ')})`
      }
      case 'between': {
        const column = find(each.column)
        const low = literal(each.low, column)
        return `${quoteIdentifier(column.name)} BETWEEN ${low} AND ${literal(each.high, column)}`
      }
      case 'compare': {
        const column = find(each.column)
        const isPattern = /^[~LI]/.test(each.operator)
        const left = `${quoteIdentifier(column.name)}${isPattern && !column.isText ? '::text' : ''}`
        return `${left} ${each.operator} ${literal(each.value, isPattern ? undefined : column)}`
      }
    }
  }
  const find = ({ name, quoted, at }: ColumnName): Column => {
    const column = columns.get(name) ?? (quoted ? undefined : columns.get(name.toLowerCase()))
    if (column === undefined) throw conditionError(`there is no column '${name}'`, at, '42703')
    return column
  }
  const quoted = (column: ColumnName): string => quoteIdentifier(find(column).name)
  const literal = (value: Literal, column: Column | undefined): string => {
    if (value.kind === 'null') return bind(null)
    if (value.kind === 'boolean') return bind(value.value)
    return bind(value.text) + (value.kind === 'number' ? numberCast(value.text, column) : '')
  }
  return compile(condition)
}

// A placeholder takes the column's type, and an integer column would refuse 18.5 and 99999999999 instead of comparing.
// A cast only then: compared with numeric, an integer column cannot use its index.
function numberCast(text: string, column: Column | undefined): string {
  if (column === undefined || !column.isInteger) return ''
  if (!/^-?\d{1,18}$/.test(text)) return '::numeric'
  return Math.abs(Number(text)) < 2 ** 15 ? '' : '::bigint'
}
