import {
  conditionLimits,
  type ColumnName,
  type ComparisonOperator,
  type Condition,
  type Literal,
} from './ast.ts'
import { conditionError } from './fail.ts'

/**
 * Parses the JSON form: `{"age": {"gt": 18}, "name": "Ada"}`, with `and`, `or` and `not`. Several keys mean AND; a
 * value without an operator means `exact`.
 * @throws {CallError} `invalid_condition` with the path
 */
export function parseJson(value: unknown): Condition {
  const budget = { nodes: conditionLimits.nodes }
  return conditionOf(value, '', { depth: 0, budget })
}

interface Nesting {
  readonly depth: number
  readonly budget: { nodes: number }
}

function conditionOf(value: unknown, path: string, { depth, budget }: Nesting): Condition {
  if (!isRecord(value)) throw conditionError('expected an object', { path })
  const entries = Object.entries(value)
  if (entries.length === 0) throw conditionError('expected a condition, got an empty object', { path })
  if (depth > conditionLimits.depth) {
    throw conditionError(`nested deeper than ${conditionLimits.depth}`, { path })
  }
  budget.nodes -= entries.length
  if (budget.nodes < 0) throw conditionError(`more than ${conditionLimits.nodes} parts`, { path })
  const inside: Nesting = { depth: depth + 1, budget }
  return allOf(
    entries.map(([key, item]) => {
      const at = path === '' ? key : `${path}.${key}`
      if (key === 'not') return { kind: 'not', item: conditionOf(item, at, inside) }
      if (key !== 'and' && key !== 'or') return columnCondition(key, item, at)
      if (!Array.isArray(item)) throw conditionError('expected a list of conditions', { path: at })
      return { kind: key, items: item.map((each, index) => conditionOf(each, `${at}[${index}]`, inside)) }
    }),
  )
}

function columnCondition(name: string, value: unknown, path: string): Condition {
  const column: ColumnName = { name, quoted: true, at: { path } }
  if (!isRecord(value)) return operators.exact(column, value, path)
  const entries = Object.entries(value)
  if (entries.length === 0) throw conditionError('expected an operator', { path })
  return allOf(
    entries.map(([key, operand]) => {
      const at = `${path}.${key}`
      if (!isOperator(key)) throw conditionError(`expected one of ${names}`, { path: at })
      return operators[key](column, operand, at)
    }),
  )
}

type Operator = (column: ColumnName, operand: unknown, path: string) => Condition

// Django's lookups: https://docs.djangoproject.com/en/5.2/ref/models/querysets/#field-lookups
const operators = {
  exact: (column, operand, path) =>
    operand === null ? { kind: 'null', column } : compare(column, '=', literalOf(operand, path)),
  iexact: pattern('ILIKE', (text) => text),
  contains: pattern('LIKE', (text) => `%${text}%`),
  icontains: pattern('ILIKE', (text) => `%${text}%`),
  startswith: pattern('LIKE', (text) => `${text}%`),
  istartswith: pattern('ILIKE', (text) => `${text}%`),
  endswith: pattern('LIKE', (text) => `%${text}`),
  iendswith: pattern('ILIKE', (text) => `%${text}`),
  gt: comparison('>'),
  gte: comparison('>='),
  lt: comparison('<'),
  lte: comparison('<='),
  regex: (column, operand, path) => compare(column, '~', stringOf(operand, path)),
  iregex: (column, operand, path) => compare(column, '~*', stringOf(operand, path)),
  in: (column, operand, path) => {
    if (!Array.isArray(operand) || operand.length > conditionLimits.list) {
      throw conditionError(`expected a list of at most ${conditionLimits.list} values`, { path })
    }
    return { kind: 'in', column, values: operand.map((each) => literalOf(each, path)) }
  },
  range: (column, operand, path) => {
    if (!Array.isArray(operand) || operand.length !== 2) {
      throw conditionError('expected a list of two values', { path })
    }
    return {
      kind: 'between',
      column,
      low: literalOf(operand[0], path),
      high: literalOf(operand[1], path),
    }
  },
  isnull: (column, operand, path) => {
    if (typeof operand !== 'boolean') throw conditionError('expected true or false', { path })
    const isNull: Condition = { kind: 'null', column }
    return operand ? isNull : { kind: 'not', item: isNull }
  },
} satisfies Record<string, Operator>

const names = Object.keys(operators).join(', ')

const isOperator = (key: string): key is keyof typeof operators => Object.hasOwn(operators, key)

function comparison(operator: ComparisonOperator): Operator {
  return (column, operand, path) => compare(column, operator, literalOf(operand, path))
}

function pattern(operator: 'LIKE' | 'ILIKE', surround: (escaped: string) => string): Operator {
  return (column, operand, path) => {
    const { text } = stringOf(operand, path)
    return compare(column, operator, { kind: 'string', text: surround(text.replaceAll(/[\\%_]/g, '\\$&')) })
  }
}

function compare(column: ColumnName, operator: ComparisonOperator, value: Literal): Condition {
  return { kind: 'compare', column, operator, value }
}

function stringOf(value: unknown, path: string): Literal & { kind: 'string' } {
  if (typeof value === 'string') return { kind: 'string', text: value }
  throw conditionError('expected a string', { path })
}

function literalOf(value: unknown, path: string): Literal {
  if (typeof value === 'string') return { kind: 'string', text: value }
  if (typeof value === 'boolean') return { kind: 'boolean', value }
  if (typeof value === 'number') return { kind: 'number', text: String(value) }
  if (value === null) return { kind: 'null' }
  throw conditionError('expected a string, a number, true, false or null', { path })
}

const allOf = (items: readonly Condition[]): Condition =>
  items.length === 1 && items[0] !== undefined ? items[0] : { kind: 'and', items }

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
