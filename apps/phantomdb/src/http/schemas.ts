import { Type, type Static, type TObject, type TProperties, type TUnsafe } from '@sinclair/typebox'
import { maxParameters, maxRows } from '../tables/rows.ts'

// Bodies and query strings refuse fields that are not listed: what is misspelt or not supported is never ignored.
const object = <T extends TProperties>(properties: T): TObject<T> =>
  Type.Object(properties, { additionalProperties: false })

const oneOf = <const T extends readonly string[]>(...values: T): TUnsafe<T[number]> =>
  Type.Unsafe({ enum: values })

const Row = Type.Record(Type.String(), Type.Unknown())
const Condition = Type.Union([Type.String(), Row])
const Digits = Type.String({ pattern: String.raw`^\d{1,9}$` })

/** POST /databases */
export const DatabaseBody = object({ name: Type.String() })

const referential = oneOf('cascade', 'restrict', 'set null', 'set default', 'no action')

const ColumnSchema = object({
  name: Type.String(),
  /** Such as `INTEGER` or `VARCHAR(100)`. */
  type: Type.String({ maxLength: 40 }),
  nullable: Type.Optional(Type.Boolean()),
  primaryKey: Type.Optional(Type.Boolean()),
  unique: Type.Optional(Type.Boolean()),
  default: Type.Optional(
    Type.Union([object({ value: Type.Unknown() }), object({ expression: oneOf('now', 'uuid') })]),
  ),
  references: Type.Optional(
    object({
      table: Type.String(),
      column: Type.String(),
      onDelete: Type.Optional(referential),
      onUpdate: Type.Optional(referential),
    }),
  ),
  check: Type.Optional(Condition),
})
/** A column as a caller describes it. */
export type ColumnDefinition = Static<typeof ColumnSchema>

/** POST …/tables */
export const TableBody = object({
  name: Type.String(),
  columns: Type.Array(ColumnSchema, { minItems: 1, maxItems: 1600 }),
})
/** A table as a caller describes it. */
export type TableDefinition = Static<typeof TableBody>

/** GET …/tables/{table} */
export const SelectQuery = object({
  condition: Type.Optional(Type.String()),
  order: Type.Optional(Type.String()),
  limit: Type.Optional(Digits),
  offset: Type.Optional(Digits),
  select: Type.Optional(Type.String()),
})

/** POST …/tables/{table} */
export const InsertBody = Type.Union([Row, Type.Array(Row, { minItems: 1, maxItems: maxRows })])
/** POST …/tables/{table}? */
export const InsertQuery = object({ returning: Type.Optional(Type.String()) })
/** PUT …/tables/{table} */
export const UpdateBody = object({ data: Row, condition: Condition })
/** DELETE …/tables/{table} */
export const DeleteQuery = object({ condition: Type.Optional(Type.String()) })

const StatementSchema = {
  query: Type.String(),
  parameters: Type.Optional(Type.Array(Type.Unknown(), { maxItems: maxParameters })),
}
/** Only `rows`, `columns`, `types`, `rowCount` and `affectedRows` in the reply. */
const arrayMode = Type.Optional(Type.Boolean())

/** POST …/query */
export const QueryBody = object({ ...StatementSchema, arrayMode })
/** POST …/batch */
export const BatchBody = object({
  statements: Type.Array(object(StatementSchema), { minItems: 1, maxItems: 1000 }),
  arrayMode,
})

/** POST /transactions */
export const TransactionBody = object({
  database: Type.Optional(Type.String()),
  isolationLevel: Type.Optional(
    oneOf('read uncommitted', 'read committed', 'repeatable read', 'serializable'),
  ),
  accessMode: Type.Optional(oneOf('read write', 'read only')),
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_600_000 })),
})
