import { checkOptions, type OptionChecks } from '../check-options.ts'
import type { StoredValue } from '../protocol.ts'
import type { DateFormat } from '../values.ts'
import { where, type Conditions } from './conditions.ts'
import { quoteIdentifier, quoteIdentifiers } from './identifiers.ts'
import { isNames, type Statement } from './statement.ts'

export interface SelectOptions {
  /** @default all columns */
  columns?: readonly string[] | undefined
  /** Which rows. @default all rows */
  conditions?: Conditions | undefined
  /** Columns to sort by: `'name'`, `'-name'` or `'name DESC'`, where the last two sort descending. */
  orderBy?: string | readonly string[] | undefined
  /** The most rows to return, 0 or more. @default all */
  limit?: number | undefined
  /** Rows to pass over first, 0 or more. @default 0 */
  offset?: number | undefined
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

const selectChecks: OptionChecks<SelectOptions> = {
  columns: { expected: 'a non-empty list of names', accepts: isNames },
  conditions: { expected: 'an object or a list of them', accepts: (value) => typeof value === 'object' },
  orderBy: {
    expected: 'a name or a list of names',
    accepts: (value) =>
      typeof value === 'string' || (Array.isArray(value) && value.every((name) => typeof name === 'string')),
  },
  limit: { expected: 'an integer of 0 or more', accepts: isCount },
  offset: { expected: 'an integer of 0 or more', accepts: isCount },
}

/** @throws {InvalidOptionError} for an option that does not fit. @throws {UsageError} for conditions that do not. */
export function selectStatement(
  table: string,
  options: SelectOptions = {},
  dates: DateFormat = 'iso',
): Statement {
  checkOptions(options, selectChecks)
  const params: StoredValue[] = []
  const { columns, conditions = {}, orderBy = [], limit, offset } = options
  let sql = `SELECT ${columns ? quoteIdentifiers(columns) : '*'} FROM ${quoteIdentifier(table)}`
  sql += where(conditions, params, dates)
  sql += orderByClause(typeof orderBy === 'string' ? [orderBy] : orderBy)
  if (limit !== undefined || offset !== undefined) {
    sql += ' LIMIT ?'
    params.push(limit ?? -1) // no OFFSET without LIMIT in SQLite; a negative one is none
  }
  if (offset !== undefined) {
    sql += ' OFFSET ?'
    params.push(offset)
  }
  return { sql, params }
}

function orderByClause(terms: readonly string[]): string {
  return terms.length > 0 ? ` ORDER BY ${terms.map(orderTerm).join(', ')}` : ''
}

function orderTerm(term: string): string {
  if (term.startsWith('-')) return `${quoteIdentifier(term.slice(1))} DESC`
  const [, name, direction = ''] = /^(.+?)\s+(asc|desc)$/is.exec(term) ?? []
  return name === undefined ? quoteIdentifier(term) : `${quoteIdentifier(name)} ${direction.toUpperCase()}`
}
