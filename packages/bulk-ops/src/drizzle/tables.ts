import { getTableColumns, is, SQL, type Column, type Table } from 'drizzle-orm'
import { getTableConfig as getPgConfig, PgArray, PgEnumColumn, PgTable } from 'drizzle-orm/pg-core'
import { getTableConfig as getSqliteConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { UnsupportedError } from '../errors.ts'
import type { ColumnMeta, Dialect, ForeignKeyAction, TableMeta } from '../table-meta.ts'
import { storedAsGiven } from './stored-as-given.ts'

/** Gives columns their SQL names: Drizzle's casing cache of a database. */
export interface Casing {
  getColumnCasing(column: Column): string
}

const definedNames: Casing = { getColumnCasing: (column) => column.name }

/** The parts that the table configurations of both dialects share. */
interface TableConfig {
  readonly name: string
  readonly schema?: string | undefined
  readonly primaryKeys: readonly { readonly columns: readonly Column[] }[]
  readonly uniqueConstraints: readonly { readonly columns: readonly Column[] }[]
  readonly indexes: readonly {
    readonly config: {
      readonly unique: boolean
      readonly columns: readonly unknown[]
      readonly where?: unknown
    }
  }[]
  readonly foreignKeys: readonly {
    readonly onDelete?: string | undefined
    readonly onUpdate?: string | undefined
    reference(): {
      readonly columns: readonly Column[]
      readonly foreignColumns: readonly Column[]
      readonly foreignTable: Table
    }
  }[]
}

const known = new WeakMap<Casing, WeakMap<Table, TableMeta>>()

/**
 * What a table's definition says. The same object for the same table and casing.
 * @throws {UnsupportedError} for anything but an SQLite or PostgreSQL table
 */
export function tableMeta(table: Table, casing: Casing = definedNames): TableMeta {
  const metas = known.get(casing) ?? new WeakMap<Table, TableMeta>()
  known.set(casing, metas)
  const meta = metas.get(table) ?? read(table, casing)
  metas.set(table, meta)
  return meta
}

function read(table: Table, casing: Casing): TableMeta {
  const [dialect, config] = configOf(table)
  const byColumn = new Map<unknown, ColumnMeta>()
  const byName = new Map<unknown, ColumnMeta>()
  for (const [key, column] of Object.entries<Column>(getTableColumns(table))) {
    const meta = columnMeta(key, column, { dialect, name: casing.getColumnCasing(column) })
    byColumn.set(column, meta)
    byName.set(column.name, meta)
  }
  // Indexes and constraints hold other objects for the same columns.
  const find = (column: unknown) => byColumn.get(column) ?? byName.get(nameOf(column))
  const findAll = (columns: readonly unknown[]) => columns.map(find).filter((meta) => meta !== undefined)

  const ownKey = Object.values<Column>(getTableColumns(table)).filter((column) => column.primary)
  const ownUniques = Object.values<Column>(getTableColumns(table)).filter((column) => column.isUnique)
  const indexes = config.indexes.filter(({ config: index }) => index.unique && index.where === undefined)
  const uniques = [
    ...ownUniques.map((column) => [column]),
    ...config.uniqueConstraints.map(({ columns }) => columns),
    ...indexes.map(({ config: index }) => index.columns).filter((columns) => columns.every(find)),
  ]
  return {
    table,
    dialect,
    name: config.name,
    schema: config.schema,
    columns: [...byColumn.values()],
    primaryKey: findAll(config.primaryKeys[0]?.columns ?? ownKey),
    uniques: uniques.map(findAll),
    foreignKeys: config.foreignKeys.map((foreignKey) => {
      const { columns, foreignColumns, foreignTable } = foreignKey.reference()
      const own = findAll(columns)
      return {
        columns: own,
        foreignTable,
        foreignColumns: foreignColumns.map((column) => keyOf(foreignTable, column)),
        onDelete: action(foreignKey.onDelete),
        onUpdate: action(foreignKey.onUpdate),
        isNullable: own.some((column) => !column.isNotNull),
      }
    }),
  }
}

function configOf(table: Table): [Dialect, TableConfig] {
  if (is(table, PgTable)) return ['postgres', getPgConfig(table)]
  if (is(table, SQLiteTable)) return ['sqlite', getSqliteConfig(table) as TableConfig]
  throw new UnsupportedError('Expected a table made with sqliteTable or pgTable')
}

function columnMeta(
  key: string,
  column: Column,
  { dialect, name }: { dialect: Dialect; name: string },
): ColumnMeta {
  const sqlType = typeName(column)
  const isSerial = dialect === 'postgres' && sqlType.endsWith('serial')
  const identity = column.generatedIdentity?.type
  const decode = (value: unknown) => column.mapFromDriverValue(value)
  // Drizzle's way back from a timestamp takes only the database's own format.
  const isTimestamp =
    dialect === 'postgres' && column.dataType === 'date' && /^timestamp( with time zone)?$/.test(sqlType)
  return {
    key,
    name,
    sqlType,
    isNotNull: column.notNull || column.primary,
    isInsertable: column.generated === undefined && identity !== 'always',
    hasDefault:
      (column.default !== undefined && column.default !== null) || isSerial || identity !== undefined,
    defaultValue: column.default ?? undefined,
    generated: column.generated !== undefined,
    identity,
    makeDefault: column.defaultFn,
    makeOnUpdate: column.onUpdateFn,
    encode: (value) => column.mapToDriverValue(value),
    decode,
    isStoredAsGiven: isTimestamp ? (encoded) => typeof encoded === 'string' : storedAsGiven(dialect, sqlType),
    restore: isTimestamp ? (encoded) => new Date(String(encoded)) : decode,
  }
}

/** An enum's type is a name of its own, which may need quotes. */
function typeName(column: Column): string {
  if (is(column, PgArray)) return `${typeName(column.baseColumn)}[]`
  if (!is(column, PgEnumColumn)) return column.getSQLType()
  const { enumName, schema } = column.enum
  return [schema, enumName]
    .filter((part) => part !== undefined)
    .map(quote)
    .join('.')
}

/** A name as an SQL identifier. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function nameOf(column: unknown): unknown {
  return typeof column === 'object' && column !== null && 'name' in column ? column.name : undefined
}

function keyOf(table: Table, column: Column): string {
  const entries = Object.entries<Column>(getTableColumns(table))
  return entries.find(([, each]) => each === column)?.[0] ?? column.name
}

function action(name: string | undefined): ForeignKeyAction {
  return (name ?? 'no action') as ForeignKeyAction
}

/** Whether a value of a row, or a default, is an SQL expression of Drizzle's. */
export function isSql(value: unknown): value is SQL {
  return typeof value === 'object' && value !== null && 'queryChunks' in value && is(value, SQL)
}
