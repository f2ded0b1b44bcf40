import { UsageError } from '../errors.ts'
import type { StoredValue } from '../protocol.ts'
import { toStored, type Value } from '../values.ts'
import { quoteIdentifier } from './identifiers.ts'

/** Comparisons of one column; several are joined by AND. */
export interface Operators {
  /** Equal to none of the others: `IS NOT`, so that null counts as a value. */
  ne?: Value
  gt?: Value
  gte?: Value
  lt?: Value
  lte?: Value
  /** One of these; an empty list matches nothing. */
  in?: readonly Value[]
  /** SQLite's LIKE: `%` and `_` are wildcards, ASCII letters match in either case. */
  like?: string
  /** Both ends included. */
  between?: readonly [Value, Value]
  isNull?: boolean
}

/** Column name to a value it must equal (null matches NULL) or to operators; columns are joined by AND. */
export type Conditions = Readonly<Record<string, Value | Operators>>

type Writer = (column: string, operand: unknown, bind: (value: unknown) => string) => string

const compare =
  (operator: string): Writer =>
  (column, operand, bind) =>
    `${column} ${operator} ${bind(operand)}`

const operators: Readonly<Record<keyof Operators, Writer>> = {
  ne: compare('IS NOT'),
  gt: compare('>'),
  gte: compare('>='),
  lt: compare('<'),
  lte: compare('<='),
  like: compare('LIKE'),
  in: (column, operand, bind) => {
    const values = list(operand, 'in')
    if (values.includes(null))
      throw invalid('Expected "in" to be a list without null, which IN never matches; use isNull')
    return `${column} IN (${values.map(bind).join(', ')})`
  },
  between: (column, operand, bind) => {
    const ends = list(operand, 'between')
    if (ends.length !== 2) throw invalid(`Expected "between" to be a list of two values, got ${ends.length}`)
    return `${column} BETWEEN ${ends.map(bind).join(' AND ')}`
  },
  isNull: (column, operand) => {
    if (typeof operand !== 'boolean')
      throw invalid(`Expected "isNull" to be a boolean, got ${typeof operand}`)
    return `${column} IS ${operand ? '' : 'NOT '}NULL`
  },
}

/**
 * Writes a WHERE clause, or nothing for no conditions, and appends its values to `params`.
 * @throws {UsageError} ERR_CONDITIONS for an unknown operator, ERR_VALUE for a value SQLite cannot hold.
 */
export function where(conditions: Conditions, params: StoredValue[]): string {
  const terms = Object.entries(conditions).flatMap(([name, condition]) => {
    const column = quoteIdentifier(name)
    const bind = (value: unknown): string => {
      params.push(toStored(value, name))
      return '?'
    }
    if (!isOperators(condition))
      return condition === null ? `${column} IS NULL` : `${column} = ${bind(condition)}`
    const entries = Object.entries(condition)
    if (entries.length === 0)
      throw invalid(`Expected an operator for column ${JSON.stringify(name)}, got none`)
    return entries.map(([operator, operand]) => operatorNamed(operator)(column, operand, bind))
  })
  return terms.length > 0 ? ` WHERE ${terms.join(' AND ')}` : ''
}

function isOperators(condition: Value | Operators): condition is Operators {
  return (
    typeof condition === 'object' &&
    condition !== null &&
    !(condition instanceof Date) &&
    !(condition instanceof Uint8Array) &&
    !Array.isArray(condition)
  )
}

function operatorNamed(name: string): Writer {
  if (Object.hasOwn(operators, name)) return operators[name as keyof Operators]
  throw invalid(
    `Expected an operator out of ${Object.keys(operators).join(', ')}, got ${JSON.stringify(name)}`,
  )
}

function list(operand: unknown, operator: string): unknown[] {
  if (Array.isArray(operand)) return operand
  throw invalid(`Expected ${JSON.stringify(operator)} to be a list, got ${typeof operand}`)
}

function invalid(message: string): UsageError {
  return new UsageError('ERR_CONDITIONS', message)
}
