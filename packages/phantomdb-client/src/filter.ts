/** What a column can be compared with. Dates and bigints go as text. */
export type FilterValue = string | number | boolean | bigint | Date | null

/** Comparisons of one column; several must all hold. Text is matched as it is: `%`, `_` and `\` mean themselves. */
export interface Operators {
  readonly exact?: FilterValue
  /** Like `exact`, whatever the case of its letters. */
  readonly iexact?: string
  readonly contains?: string
  readonly icontains?: string
  readonly startswith?: string
  readonly istartswith?: string
  readonly endswith?: string
  readonly iendswith?: string
  readonly gt?: FilterValue
  readonly gte?: FilterValue
  readonly lt?: FilterValue
  readonly lte?: FilterValue
  /** At most 1000 values; an empty list meets no row. */
  readonly in?: readonly FilterValue[]
  /** The lowest and the highest value, both included. */
  readonly range?: readonly [FilterValue, FilterValue]
  readonly isnull?: boolean
  /** A POSIX regular expression, as PostgreSQL's `~` has it. */
  readonly regex?: string
  readonly iregex?: string
}

/** Columns with the value they must have or the operators that must hold; all must. `and`, `or`, `not` combine. */
export interface FilterObject {
  readonly [column: string]: FilterValue | Operators | FilterObject | readonly FilterObject[] | undefined
}

/** Which rows: as an object, or as a text such as `age >= 18 AND name ILIKE 'a%'` (values are literals, quoted). */
export type Filter = FilterObject | string

/** Which rows a change concerns: some, or expressly all. */
export type Selection = { readonly where: Filter } | { readonly all: true }

/** The condition of a selection, as the server takes it. @throws {TypeError} when it says neither which nor all */
export function conditionOf(selection: Selection): Filter {
  if (typeof selection === 'object' && selection !== null) {
    if ('where' in selection && selection.where !== undefined) return selection.where
    if ('all' in selection && selection.all) return { and: [] }
  }
  throw new TypeError('Expected { where } or, to mean every row, { all: true }')
}
