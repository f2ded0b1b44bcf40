import { checkOptions, type OptionChecks } from '../check-options.ts'
import { UsageError } from '../errors.ts'
import type { StoredValue } from '../protocol.ts'
import { isPlain, toStored, type DateFormat } from '../values.ts'
import { where, type Conditions } from './conditions.ts'
import { quoteIdentifier } from './identifiers.ts'
import {
  returningChecks,
  returningClause,
  type InputRow,
  type ReturningOption,
  type Statement,
} from './statement.ts'

export interface ChangeOptions extends ReturningOption {
  /** Set to true to change every row of the table, with empty conditions. @default false */
  all?: boolean | undefined
}

const changeChecks: OptionChecks<ChangeOptions> = {
  all: { expected: 'a boolean', accepts: (value) => typeof value === 'boolean' },
  ...returningChecks,
}

/** @throws {UsageError} ERR_CONDITIONS for empty conditions without `all`. */
export function updateStatement(
  table: string,
  change: { readonly set: InputRow; readonly conditions: Conditions },
  options?: ChangeOptions,
  dates: DateFormat = 'iso',
): Statement {
  const { set, conditions } = change
  const names = isPlain(set) ? Object.keys(set) : []
  if (names.length === 0) {
    throw new UsageError(
      'ERR_INVALID_ARGUMENT',
      'Expected the values to set to be a plain object with at least one column',
    )
  }
  const params: StoredValue[] = []
  const assignments = names.map((name) => {
    params.push(toStored(set[name], name, dates))
    return `${quoteIdentifier(name)} = ?`
  })
  const head = `UPDATE ${quoteIdentifier(table)} SET ${assignments.join(', ')}`
  return { sql: head + rowsMeant(conditions, options, params, dates), params }
}

/** @throws {UsageError} ERR_CONDITIONS for empty conditions without `all`. */
export function deleteStatement(
  table: string,
  conditions: Conditions,
  options?: ChangeOptions,
  dates: DateFormat = 'iso',
): Statement {
  const params: StoredValue[] = []
  const head = `DELETE FROM ${quoteIdentifier(table)}`
  return { sql: head + rowsMeant(conditions, options, params, dates), params }
}

/** The clauses that say which rows change and what of them is given back. */
function rowsMeant(
  conditions: Conditions,
  options: ChangeOptions | undefined,
  params: StoredValue[],
  dates: DateFormat,
): string {
  if (options !== undefined) checkOptions(options, changeChecks)
  const clause = where(conditions, params, dates)
  if (clause === '' && options?.all !== true) {
    throw new UsageError(
      'ERR_CONDITIONS',
      'Expected at least one condition; pass {all: true} to change every row',
    )
  }
  return clause + returningClause(options?.returning)
}
