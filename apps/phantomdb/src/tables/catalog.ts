import { tableNotFound } from '../errors.ts'
import { checkName, quoteIdentifier } from '../postgres/identifiers.ts'
import type { Session } from '../postgres/session.ts'

/** A column of a table that is there. */
export interface Column {
  readonly name: string
  /** PostgreSQL's name of the type, such as `int4`. */
  readonly type: string
  readonly isText: boolean
  readonly isInteger: boolean
  readonly isPrimaryKey: boolean
}

/** A table's columns by name, in their order. */
export type Columns = ReadonlyMap<string, Column>

const listTablesSql = `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and n.nspname = any (current_schemas(false)) order by 1`

const columnsSql = `select a.attname, t.typname, t.typcategory, coalesce(a.attnum = any (i.indkey), false)
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
  join pg_type t on t.oid = a.atttypid
  left join pg_index i on i.indrelid = c.oid and i.indisprimary
  where c.oid = to_regclass($1) and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and n.nspname not in ('pg_catalog', 'information_schema') and a.attnum > 0 and not a.attisdropped
  order by a.attnum`

/** The names of the tables that need no schema to be named, sorted. */
export async function listTables(session: Session): Promise<string[]> {
  const { rows } = await session.run({ query: listTablesSql })
  return rows.map(([name]) => String(name))
}

/** Reads the columns of a table or view. @throws {CallError} 42P01 when there is none */
export async function readColumns(session: Session, table: string): Promise<Columns> {
  const name = quoteIdentifier(checkName(table, 'table'))
  const { rows } = await session.run({ query: columnsSql, parameters: [name] })
  if (rows.length === 0) throw tableNotFound(table)
  return new Map(
    rows.map(([name, type, category, isPrimaryKey]) => [
      String(name),
      {
        name: String(name),
        type: String(type),
        isText: category === 'S',
        isInteger: /^(?:int[248]|oid)$/.test(String(type)),
        isPrimaryKey: isPrimaryKey === true,
      },
    ]),
  )
}
