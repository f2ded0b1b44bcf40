import { UsageError } from '../errors.ts'
import type { StoredValue } from '../protocol.ts'
import { isPlain, toStored, type DateFormat, type Value } from '../values.ts'
import { quoteIdentifier } from './identifiers.ts'

/** A value that can be greater or less than another. */
type Comparable = Exclude<Value, null>

/** Comparisons of one column; several are joined by AND. */
export interface Operators {
  /** Not equal: `IS NOT`, so that null counts as a value. */
  ne?: Value
  gt?: Comparable
  gte?: Comparable
  lt?: Comparable
  lte?: Comparable
  /** One of these; an empty list matches nothing. */
  in?: readonly Comparable[]
  /** None of these; null is none of them, so a column that is NULL matches. An empty list matches all. */
  notIn?: readonly Comparable[]
  /** SQLite's LIKE: `%` and `_` are wildcards, ASCII letters match in either case. */
  like?: string
  /** Both ends included. */
  between?: readonly [Comparable, Comparable]
  isNull?: boolean
}

/** Column name to a value it must equal (null matches NULL) or to operators; columns are joined by AND. */
export type ConditionSet = Readonly<Record<string, Value | Operators>>

/** A set of conditions, or a list of sets joined by OR. */
export type Conditions = ConditionSet | readonly ConditionSet[]

type Bind = (value: unknown) => string
type Writer = (column: string, operand: unknown, bind: Bind) => string

const compare =
  (operator: string): Writer =>
  (column, operand, bind) =>
    `${column} ${operator} ${bind(operand)}`

const order =
  (name: string, operator: string): Writer =>
  (column, operand, bind) => {
    if (operand === null) throw neverMatches(name)
    return `${column} ${operator} ${bind(operand)}`
  }

const operators: Readonly<Record<keyof Operators, Writer>> = {
  ne: compare('IS NOT'),
  gt: order('gt', '>'),
  gte: order('gte', '>='),
  lt: order('lt', '<'),
  lte: order('lte', '<='),
  like: (column, operand, bind) => {
    if (typeof operand !== 'string') throw invalid(`Expected "like" to be a string, got ${kindOf(operand)}`)
    return `${column} LIKE ${bind(operand)}`
  },
  in: (column, operand, bind) => `${column} IN (${list('in', operand).map(bind).join(', ')})`,
  notIn: (column, operand, bind) =>
    `(${column} NOT IN (${list('notIn', operand).map(bind).join(', ')}) OR ${column} IS NULL)`,
  between: (column, operand, bind) => {
    const ends = list('between', operand)
    if (ends.length !== 2) throw invalid(`Expected "between" to be a list of two values, got ${ends.length}`)
    return `${column} BETWEEN ${ends.map(bind).join(' AND ')}`
  },
  isNull: (column, operand) => {
    if (typeof operand !== 'boolean')
      throw invalid(`Expected "isNull" to be a boolean, got ${kindOf(operand)}`)
    return `${column} IS ${operand ? '' : 'NOT '}NULL`
  },
}

/** SQLite's limit on parameters of one statement. */
const MAX_PARAMS = 32_766

/**
 * Writes a WHERE clause, or nothing for no conditions, and appends its values to `params`.
 * @throws {UsageError} ERR_CONDITIONS for what are no conditions and an unknown operator, ERR_VALUE for a value SQLite
 * cannot hold, ERR_PARAMETERS for more values than SQLite takes.
 */
export function where(conditions: Conditions, params: StoredValue[], dates: DateFormat = 'iso'): string {
  const text = Array.isArray(conditions)
    ? alternatives(conditions, params, dates)
    : conjunction(conditions, params, dates)
  if (params.length > MAX_PARAMS) {
    throw new UsageError(
      'ERR_PARAMETERS',
      `Expected at most ${MAX_PARAMS} values in one statement, got ${params.length}; use several statements`,
    )
  }
  return text === '' ? '' : ` WHERE ${text}`
}

function alternatives(sets: readonly unknown[], params: StoredValue[], dates: DateFormat): string {
  const terms = sets.map((set) => conjunction(set, params, dates))
  if (terms.length === 0 || terms.includes(''))
    throw invalid('Expected a list of conditions to be non-empty, with at least one condition in each')
  return terms.map((term) => `(${term})`).join(' OR ')
}

function conjunction(set: unknown, params: StoredValue[], dates: DateFormat): string {
  if (!isPlain(set)) throw invalid(`Expected conditions to be a plain object, got ${kindOf(set)}`)
  const terms: string[] = []
  for (const name of Object.keys(set)) {
    const condition = set[name]
    const column = quoteIdentifier(name)
    const bind: Bind = (value) => {
      params.push(toStored(value, name, dates))
      return '?'
    }
    if (condition === null) terms.push(`${column} IS NULL`)
    else if (isPlain(condition)) writeOperators(condition, { name, column, bind, terms })
    else if (Array.isArray(condition))
      throw invalid(`Expected column ${JSON.stringify(name)} to be compared with a value or operators, got an array; use {in: [...]}`) // prettier-ignore
    else terms.push(`${column} = ${bind(condition)}`)
  }
  return terms.join(' AND ')
}

interface Term {
  readonly name: string
  readonly column: string
  readonly bind: Bind
  readonly terms: string[]
}

function writeOperators(condition: Record<string, unknown>, { name, column, bind, terms }: Term): void {
  const names = Object.keys(condition)
  if (names.length === 0) throw invalid(`Expected an operator for column ${JSON.stringify(name)}, got none`)
  for (const operator of names) terms.push(operatorNamed(operator)(column, condition[operator], bind))
}

function operatorNamed(name: string): Writer {
  if (Object.hasOwn(operators, name)) return operators[name as keyof Operators]
  throw invalid(
    `Expected an operator out of ${Object.keys(operators).join(', ')}, got ${JSON.stringify(name)}`,
  )
}

function list(name: string, operand: unknown): unknown[] {
  if (!Array.isArray(operand))
    throw invalid(`Expected ${JSON.stringify(name)} to be a list, got ${kindOf(operand)}`)
  if (operand.includes(null)) throw neverMatches(name)
  return Array.from<unknown>(operand) // holes become undefined, which is refused
}

function neverMatches(name: string): UsageError {
  return invalid(`Expected ${JSON.stringify(name)} to be without null, which it never matches; use isNull`)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : typeof value
}

function invalid(message: string): UsageError {
  return new UsageError('ERR_CONDITIONS', message)
}
