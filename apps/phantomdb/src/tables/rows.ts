import { compileCondition } from '../conditions/compile.ts'
import { parseCondition } from '../conditions/parse.ts'
import { CallError } from '../errors.ts'
import { quoteIdentifier } from '../postgres/identifiers.ts'
import { encodeJson, recordsOf, type Statement } from '../postgres/statement.ts'
import type { Session } from '../postgres/session.ts'
import { readColumns, type Column, type Columns } from './catalog.ts'

/** The most rows that one call reads. */
export const maxRows = 10_000
/** The most parameters of a statement; the protocol counts them in 16 bits. */
export const maxParameters = 65_535

type Row = Readonly<Record<string, unknown>>

/** Which rows to read, and what of them. */
export interface SelectRequest {
  readonly condition?: unknown
  /** `name,-created_at` */
  readonly order?: string | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
  /** `id,name` */
  readonly select?: string | undefined
}

/** Reads rows. @throws {CallError} `too_many_rows` when there are more than {@link maxRows} and no limit was given */
export async function selectRows(session: Session, table: string, request: SelectRequest): Promise<Row[]> {
  const columns = await readColumns(session, table)
  const parameters = new Parameters()
  const { condition, order, limit, offset, select } = request
  const listed =
    select === undefined ? [...columns.values()] : select.split(',').map((name) => find(columns, name))
  const clauses = [
    `select ${names(listed)} from ${quoteIdentifier(table)}`,
    condition === undefined ? '' : `where ${where(condition, columns, parameters)}`,
    order === undefined ? '' : `order by ${orderBy(order, columns)}`,
    `limit ${limit ?? maxRows + 1}`,
    offset === undefined ? '' : `offset ${offset}`,
  ]
  const result = await session.run(parameters.statement(clauses.filter(Boolean).join(' ')))
  if (limit === undefined && result.rows.length > maxRows) {
    throw new CallError('too_many_rows', `More than ${maxRows} rows: give a limit of at most ${maxRows}`)
  }
  return recordsOf(result)
}

/** What an insert tells of the new rows. */
export interface InsertResult {
  /** Of the rows' primary keys where that is one column, else null; in the order of the rows. */
  readonly ids: readonly unknown[]
  /** The columns asked for by `returning`. */
  readonly records: readonly Row[] | undefined
}

/** Inserts rows in one statement; columns that a row leaves out get their defaults. */
export async function insertRows(
  session: Session,
  table: string,
  { rows, returning }: { rows: readonly Row[]; returning?: string | undefined },
): Promise<InsertResult> {
  const columns = await readColumns(session, table)
  const parameters = new Parameters()
  const written = [...new Set(rows.flatMap((row) => Object.keys(row)))].map((name) => find(columns, name))
  const tuples = rows.map((row) => {
    const values = written.map((column) =>
      Object.hasOwn(row, column.name) ? parameters.bindAs(column, row[column.name]) : 'default',
    )
    return `(${values.join(', ')})`
  })
  if (written.length === 0 && rows.length !== 1) {
    throw new CallError('invalid_request', 'Expected rows with values')
  }
  const values = written.length === 0 ? 'default values' : `(${names(written)}) values ${tuples.join(', ')}`
  const keys = [...columns.values()].filter(({ isPrimaryKey }) => isPrimaryKey)
  const key = keys.length === 1 ? keys[0] : undefined
  const asked = returning === undefined ? [] : returningColumns(columns, returning)
  const returned = [...asked, ...(key ? [key] : [])]
  const clause = returned.length === 0 ? '' : ` returning ${names(returned)}`
  const result = await session.run(
    parameters.statement(`insert into ${quoteIdentifier(table)} ${values}${clause}`),
  )
  return {
    ids: rows.map((_, index) => (key ? result.rows[index]?.at(-1) : null)),
    records:
      returning === undefined
        ? undefined
        : result.rows.map((row) => Object.fromEntries(asked.map(({ name }, index) => [name, row[index]]))),
  }
}

/** Changes the rows that meet the condition. Gives their number. */
export async function updateRows(
  session: Session,
  table: string,
  { data, condition }: { data: Row; condition: unknown },
): Promise<number> {
  const columns = await readColumns(session, table)
  const parameters = new Parameters()
  const assignments = Object.entries(data).map(([name, value]) => {
    const column = find(columns, name)
    return `${quoteIdentifier(name)} = ${parameters.bindAs(column, value)}`
  })
  if (assignments.length === 0) throw new CallError('invalid_request', 'Expected data with values')
  const filter = where(condition, columns, parameters)
  const sql = `update ${quoteIdentifier(table)} set ${assignments.join(', ')} where ${filter}`
  return (await session.run(parameters.statement(sql))).affectedRows
}

/** Deletes the rows that meet the condition. Gives their number. */
export async function deleteRows(session: Session, table: string, condition: unknown): Promise<number> {
  const columns = await readColumns(session, table)
  const parameters = new Parameters()
  const sql = `delete from ${quoteIdentifier(table)} where ${where(condition, columns, parameters)}`
  return (await session.run(parameters.statement(sql))).affectedRows
}

/** Collects a statement's parameters. */
class Parameters {
  readonly #values: unknown[] = []

  bind = (value: unknown): string => {
    if (this.#values.length === maxParameters) {
      throw new CallError('invalid_request', `More than ${maxParameters} values in one statement`)
    }
    this.#values.push(value)
    return `$${this.#values.length}`
  }

  /** Binds a JSON value as the column's type takes it: json as it is, bytea as base64. */
  bindAs(column: Column, value: unknown): string {
    if (value === null) return this.bind(null)
    if (/^jsonb?$/.test(column.type)) return this.bind(encodeJson(value))
    if (column.type === 'bytea') return `decode(${this.bind(value)}, 'base64')`
    return this.bind(value)
  }

  statement(query: string): Statement {
    return { query, parameters: this.#values }
  }
}

function where(condition: unknown, columns: Columns, parameters: Parameters): string {
  return compileCondition(parseCondition(condition), columns, parameters.bind)
}

function orderBy(order: string, columns: Columns): string {
  return order
    .split(',')
    .map((item) => {
      const descending = item.startsWith('-')
      const column = find(columns, descending ? item.slice(1) : item)
      return `${quoteIdentifier(column.name)}${descending ? ' desc' : ''}`
    })
    .join(', ')
}

function returningColumns(columns: Columns, returning: string): Column[] {
  return returning === '*' ? [...columns.values()] : returning.split(',').map((name) => find(columns, name))
}

function find(columns: Columns, name: string): Column {
  const column = columns.get(name)
  if (column) return column
  throw new CallError('invalid_request', `There is no column '${name}'`, { sqlstate: '42703' })
}

const names = (columns: readonly Column[]): string =>
  columns.map(({ name }) => quoteIdentifier(name)).join(', ')
