/** A literal of a condition. Numbers stay text, so that none loses digits. */
export type Literal =
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }

/** How a condition compares a column with a literal. */
export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>=' | '~' | '~*' | 'LIKE' | 'ILIKE'

/** A column as a condition names it. Unquoted names fall back to lower case, as in SQL. */
export interface ColumnName {
  readonly name: string
  readonly quoted: boolean
  /** Where it was read: a position in a text, or a path in a JSON condition. */
  readonly at: Place
}

/** Where in a condition something is wrong: the character counted from 1, or the path of the JSON form. */
export type Place = { readonly position: number } | { readonly path: string }

/** What both forms of a condition, text and JSON, are parsed to. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly items: readonly Condition[] }
  | { readonly kind: 'not'; readonly item: Condition }
  | {
      readonly kind: 'compare'
      readonly column: ColumnName
      readonly operator: ComparisonOperator
      readonly value: Literal
    }
  | { readonly kind: 'in'; readonly column: ColumnName; readonly values: readonly Literal[] }
  | { readonly kind: 'between'; readonly column: ColumnName; readonly low: Literal; readonly high: Literal }
  | { readonly kind: 'null'; readonly column: ColumnName }

/** What a condition may be at most. */
export const conditionLimits = { bytes: 8192, depth: 32, nodes: 256, list: 1000 } as const
