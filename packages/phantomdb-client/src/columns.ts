import type { FilterObject } from './filter.ts'

/** What happens to a row when the row it refers to is deleted or changes its key. */
export type ReferentialAction = 'cascade' | 'restrict' | 'set null' | 'set default' | 'no action'

/** A column of a table to create. */
export interface ColumnDefinition {
  readonly name: string
  /**
   * SMALLINT, INTEGER, BIGINT, DECIMAL(p, s), REAL, DOUBLE, BOOLEAN, CHAR(n), VARCHAR(n), TEXT, BLOB, DATE, TIME,
   * TIMESTAMP (with time zone), JSON or UUID.
   */
  readonly type: string
  /** @default true */
  readonly nullable?: boolean
  /** An integer as the only primary key counts up by itself, unless it has a default or refers to a table. */
  readonly primaryKey?: boolean
  readonly unique?: boolean
  readonly default?: { readonly value: unknown } | { readonly expression: 'now' | 'uuid' }
  readonly references?: {
    readonly table: string
    readonly column: string
    readonly onDelete?: ReferentialAction
    readonly onUpdate?: ReferentialAction
  }
  /** A condition that every row must meet, over the columns of the table. */
  readonly check?: FilterObject | string
}
