import type { Table } from 'drizzle-orm'

/** The databases whose tables this package understands. */
export type Dialect = 'postgres' | 'sqlite'

/** What happens to a referring row, in the words of SQL. */
export type ForeignKeyAction = 'cascade' | 'no action' | 'restrict' | 'set default' | 'set null'

/** One column of a table. */
export interface ColumnMeta {
  /** Its property in rows. */
  readonly key: string
  /** Its name in SQL. */
  readonly name: string
  /** Its type in SQL, as written in the table definition: `varchar(20)`. */
  readonly sqlType: string
  readonly isNotNull: boolean
  /** Whether a value can be given; false when generated, and for an identity that is always generated. */
  readonly isInsertable: boolean
  /** Whether the database has a value for it when none is given. */
  readonly hasDefault: boolean
  /** The default of the table definition: a value, an SQL expression, or undefined. */
  readonly defaultValue: unknown
  readonly generated: boolean
  readonly identity: 'always' | 'byDefault' | undefined
  /** The column's `$defaultFn`. */
  readonly makeDefault: (() => unknown) | undefined
  /** The column's `$onUpdate`. */
  readonly makeOnUpdate: (() => unknown) | undefined
  /** Turns the value of a row, neither null nor undefined, into what the driver takes. */
  readonly encode: (value: unknown) => unknown
  /** Turns what the driver gave, not null, into the value of a row. */
  readonly decode: (value: unknown) => unknown
  /** Whether an encoded value is stored as it is, so that it need not be read back. */
  readonly isStoredAsGiven: (encoded: unknown) => boolean
  /** The value of a row that a select would give for such an encoded value. */
  readonly restore: (encoded: unknown) => unknown
}

/** One foreign key of a table. */
export interface ForeignKeyMeta {
  readonly columns: readonly ColumnMeta[]
  readonly foreignTable: Table
  /** The properties of the referenced columns, in the order of `columns`. */
  readonly foreignColumns: readonly string[]
  readonly onDelete: ForeignKeyAction
  readonly onUpdate: ForeignKeyAction
  /** Whether one of its columns may be null. */
  readonly isNullable: boolean
}

/** What is known of a table from its definition. */
export interface TableMeta {
  readonly table: Table
  readonly dialect: Dialect
  readonly name: string
  /** Its schema, or undefined for the default one. */
  readonly schema: string | undefined
  readonly columns: readonly ColumnMeta[]
  /** In the order of the key; empty when there is none. */
  readonly primaryKey: readonly ColumnMeta[]
  readonly foreignKeys: readonly ForeignKeyMeta[]
  /** The columns of each unique constraint and complete unique index, the primary key not among them. */
  readonly uniques: readonly (readonly ColumnMeta[])[]
}
