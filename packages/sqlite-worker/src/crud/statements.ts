import { checkOptions, type OptionChecks } from '../check-options.ts'
import { UsageError } from '../errors.ts'
import type { StoredValue, WireParams } from '../protocol.ts'
import { isPlain, toStored, type Value } from '../values.ts'
import { where, type Conditions } from './conditions.ts'
import { quoteIdentifier } from './identifiers.ts'

/** Column name to value. */
export type InputRow = Readonly<Record<string, Value>>

/** The same for a type of your own, also an interface: every member a value. */
export type Storable<T> = { readonly [K in keyof T]: Value }

export interface SelectOptions {
  /** @default all columns */
  columns?: readonly string[]
  conditions?: Conditions
  /** Column names; a leading `-` sorts descending. */
  orderBy?: string | readonly string[]
  /** The most rows to return, 0 or more. @default all */
  limit?: number
  /** Rows to pass over first, 0 or more; needs `limit`. @default 0 */
  offset?: number
}

export interface AllOption {
  /** Set to true to change every row of the table, with empty conditions. @default false */
  all?: boolean
}

export interface Statement {
  readonly sql: string
  readonly params: WireParams
}

/** @throws {UsageError} when rows differ in their columns, or a value does not fit. */
export function insertStatement(table: string, rows: InputRow | readonly InputRow[]): Statement {
  const first = Array.isArray(rows) ? rows[0] : rows
  if (!isPlain(first))
    throw argument(
      'Expected a row to insert to be a plain object of column values, or a non-empty list of them',
    )
  const columns = Object.keys(first)
  const into = `INSERT INTO ${quoteIdentifier(table)}`
  const sql =
    columns.length === 0
      ? `${into} DEFAULT VALUES`
      : `${into} (${columns.map(quoteIdentifier).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`
  const params = Array.isArray(rows)
    ? rows.map((row, index) => valuesOf(row, columns, index))
    : valuesOf(first, columns, 0)
  return { sql, params }
}

/** @throws {UsageError} ERR_CONDITIONS for empty conditions without `all`. */
export function updateStatement(
  table: string,
  set: InputRow,
  conditions: Conditions,
  options: AllOption,
): Statement {
  const params: StoredValue[] = []
  if (!isPlain(set) || Object.keys(set).length === 0) {
    throw argument('Expected the values to set to be a plain object with at least one column')
  }
  const assignments = Object.entries(set).map(([name, value]) => {
    params.push(toStored(value, name))
    return `${quoteIdentifier(name)} = ?`
  })
  const head = `UPDATE ${quoteIdentifier(table)} SET ${assignments.join(', ')}`
  return { sql: head + requiredWhere(conditions, options, params), params }
}

/** @throws {UsageError} ERR_CONDITIONS for empty conditions without `all`. */
export function deleteStatement(table: string, conditions: Conditions, options: AllOption): Statement {
  const params: StoredValue[] = []
  return { sql: `DELETE FROM ${quoteIdentifier(table)}${requiredWhere(conditions, options, params)}`, params }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0
const isNames = (value: unknown): boolean =>
  Array.isArray(value) && value.every((name) => typeof name === 'string')

const selectChecks: OptionChecks<SelectOptions> = {
  columns: {
    expected: 'a non-empty list of names',
    accepts: (value) => isNames(value) && (value as string[]).length > 0,
  },
  conditions: { expected: 'a plain object', accepts: isPlain },
  orderBy: {
    expected: 'a name or a list of names',
    accepts: (value) => typeof value === 'string' || isNames(value),
  },
  limit: { expected: 'an integer of 0 or more', accepts: isCount },
  offset: { expected: 'an integer of 0 or more', accepts: isCount },
}

/** @throws {InvalidOptionError} for an option that does not fit. @throws {UsageError} for conditions that do not. */
export function selectStatement(table: string, options: SelectOptions): Statement {
  checkOptions(options, selectChecks)
  const params: StoredValue[] = []
  const { columns, conditions = {}, orderBy = [], limit, offset } = options
  if (offset !== undefined && limit === undefined) throw argument('Expected limit beside offset, got none')
  const sql = [
    `SELECT ${columns ? columns.map(quoteIdentifier).join(', ') : '*'} FROM ${quoteIdentifier(table)}`,
    where(conditions, params),
    orderByClause(typeof orderBy === 'string' ? [orderBy] : orderBy),
    limit === undefined ? '' : ` LIMIT ${bindCount(limit, params)}`,
    offset === undefined ? '' : ` OFFSET ${bindCount(offset, params)}`,
  ]
  return { sql: sql.join(''), params }
}

function valuesOf(row: unknown, columns: readonly string[], index: number): StoredValue[] {
  if (
    !isPlain(row) ||
    Object.keys(row).length !== columns.length ||
    !columns.every((name) => Object.hasOwn(row, name))
  ) {
    throw argument(`Expected row ${index} to have the columns of the first row: ${columns.join(', ')}`)
  }
  return columns.map((name) => toStored(row[name], name))
}

const allChecks: OptionChecks<AllOption> = {
  all: { expected: 'a boolean', accepts: (value) => typeof value === 'boolean' },
}

function requiredWhere(conditions: Conditions, options: AllOption, params: StoredValue[]): string {
  checkOptions(options, allChecks)
  if (!isPlain(conditions)) {
    throw new UsageError(
      'ERR_CONDITIONS',
      `Expected conditions to be a plain object, got ${typeof conditions}`,
    )
  }
  const clause = where(conditions, params)
  if (clause === '' && options.all !== true) {
    throw new UsageError(
      'ERR_CONDITIONS',
      'Expected at least one condition; pass {all: true} to change every row',
    )
  }
  return clause
}

function orderByClause(names: readonly string[]): string {
  const terms = names.map((name) =>
    name.startsWith('-') ? `${quoteIdentifier(name.slice(1))} DESC` : quoteIdentifier(name),
  )
  return terms.length > 0 ? ` ORDER BY ${terms.join(', ')}` : ''
}

function bindCount(value: number, params: StoredValue[]): string {
  params.push(value)
  return '?'
}

function argument(message: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', message)
}
