import type { OptionChecks } from '../check-options.ts'
import type { WireParams } from '../protocol.ts'
import type { Value } from '../values.ts'
import { quoteIdentifiers } from './identifiers.ts'

/** Column name to value. */
export type InputRow = Readonly<Record<string, Value>>

/** The same for a type of your own, also an interface: every member a value. */
export type Storable<T> = { readonly [K in keyof T]: Value }

/** A row, or a list of them. */
// no `readonly T[]`, which would make the values' type of a row with unknown columns that of a row
export type OneOrMore<T> = T | (Iterable<T> & readonly unknown[])

/** A statement on its way to the thread. */
export interface Statement {
  readonly sql: string
  readonly params: WireParams
}

export interface ReturningOption {
  /**
   * Columns of the changed rows to give back as `rows`, as they are after the change (before it for a delete);
   * `true` gives all columns. Rows that a conflict left alone are not among them. @default no rows
   */
  returning?: true | readonly string[] | undefined
}

export const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string')

export const returningChecks: OptionChecks<ReturningOption> = {
  returning: {
    expected: 'true or a non-empty list of names',
    accepts: (value) => value === true || isNames(value),
  },
}

/** Writes a RETURNING clause, or nothing where no rows are wanted. */
export function returningClause(returning: ReturningOption['returning']): string {
  if (returning === undefined) return ''
  return ` RETURNING ${returning === true ? '*' : quoteIdentifiers(returning)}`
}
