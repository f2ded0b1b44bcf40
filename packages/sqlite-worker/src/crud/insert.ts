import { checkOptions, type OptionChecks } from '../check-options.ts'
import { UsageError } from '../errors.ts'
import type { StoredValue } from '../protocol.ts'
import { isPlain, toStored, type DateFormat } from '../values.ts'
import { planOf, variantOf, type InsertPlan } from './insert-plans.ts'
import {
  returningChecks,
  returningClause,
  type InputRow,
  type ReturningOption,
  type Statement,
} from './statement.ts'
import { isOnConflict, upsertClause, type OnConflict } from './upsert.ts'

export interface InsertOptions extends ReturningOption {
  /** What happens to a row that a unique key refuses. @default the statement fails */
  onConflict?: OnConflict | undefined
}

const insertChecks: OptionChecks<InsertOptions> = {
  onConflict: {
    expected: "'ignore', or { columns, ignore: true }, or { columns, update }",
    accepts: isOnConflict,
  },
  ...returningChecks,
}

/**
 * The statement that inserts a row, or all rows of a list. Its text depends on the table, the columns and the options
 * only, so that the thread prepares it once.
 * @throws {UsageError} when rows differ in their columns, or a value does not fit.
 */
export function insertStatement(
  table: string,
  rows: InputRow | readonly InputRow[],
  options?: InsertOptions,
  dates: DateFormat = 'iso',
): Statement {
  const first: unknown = Array.isArray(rows) ? rows[0] : rows
  if (!isPlain(first)) {
    throw new UsageError(
      'ERR_INVALID_ARGUMENT',
      'Expected a row to insert to be a plain object of column values, or a non-empty list of them',
    )
  }
  const plan = planOf(table, Object.keys(first))
  const { sql, values } = options === undefined ? plan : withOptions(plan, options, dates)
  if (!Array.isArray(rows) || rows.length === 1) return { sql, params: rowParams(first, plan, dates, values) }
  const sets = Array.from(rows, (row, index) => nextRowParams(row, index, plan, dates, values)) // holes too
  return { sql, params: sets }
}

interface Tail {
  readonly sql: string
  /** Parameters behind those of the row. */
  readonly values: readonly StoredValue[]
}

function withOptions(plan: InsertPlan, options: InsertOptions, dates: DateFormat): Tail {
  checkOptions(options, insertChecks)
  const { onConflict, returning } = options
  const values: StoredValue[] = []
  const upsert = onConflict === undefined ? '' : upsertClause(onConflict, plan.columns, values, dates)
  return { sql: variantOf(plan, upsert + returningClause(returning)), values }
}

function rowParams(
  row: Record<string, unknown>,
  { columns }: InsertPlan,
  dates: DateFormat,
  tail: readonly StoredValue[],
): StoredValue[] {
  const params = Object.values(row)
  for (let i = 0; i < params.length; i++) {
    params[i] = toStored(params[i], columns[i] ?? i, dates)
  }
  if (tail.length > 0) params.push(...tail)
  return params as StoredValue[]
}

/** As `rowParams`, for a row that must have the columns of the first one, in whatever order. */
function nextRowParams(
  row: unknown,
  index: number,
  plan: InsertPlan,
  dates: DateFormat,
  tail: readonly StoredValue[],
): StoredValue[] {
  const { columns } = plan
  if (isPlain(row)) {
    const names = Object.keys(row)
    if (names.length === columns.length) {
      if (names.every((name, i) => name === columns[i])) return rowParams(row, plan, dates, tail)
      if (columns.every((name) => Object.hasOwn(row, name))) {
        return [...columns.map((name) => toStored(row[name], name, dates)), ...tail]
      }
    }
  }
  throw new UsageError(
    'ERR_INVALID_ARGUMENT',
    `Expected row ${index} to have the columns of the first row, in a plain object: ${columns.join(', ')}`,
  )
}
