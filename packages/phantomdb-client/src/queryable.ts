import { encodeValue } from './encode.ts'
import { Table, type Row } from './table.ts'
import type { Call, CallOptions } from './transport.ts'

/** What a statement gave. */
export interface QueryResult<TRow = Row> {
  readonly rows: TRow[]
  readonly columns: readonly string[]
  /** PostgreSQL's type OIDs, one a column. */
  readonly types: readonly number[]
  /** Rows read or written. */
  readonly rowCount: number
  /** Rows that an INSERT, UPDATE, DELETE or MERGE wrote, else 0. */
  readonly affectedRows: number
}

/** A statement of a batch. */
export interface Statement {
  readonly query: string
  /** Of the placeholders `$1`, `$2`, … @default [] */
  readonly parameters?: readonly unknown[] | undefined
}

/** What a database and a transaction have in common: where statements run. */
export abstract class Queryable {
  /** Sends a call; `path` is what follows the database. */
  protected abstract send(call: Call): Promise<unknown>

  /**
   * Runs one SQL statement with placeholders `$1`, `$2`, … An array is a PostgreSQL array, an object is JSON, and a
   * Uint8Array is bytea. Of columns with the same name, rows keep the last.
   * @throws {DatabaseError} of the class that PostgreSQL's code calls for
   */
  async query<TRow = Row>(
    query: string,
    parameters: readonly unknown[] = [],
    options: CallOptions = {},
  ): Promise<QueryResult<TRow>> {
    const result = await this.queryArrays(query, parameters, options)
    return { ...result, rows: toObjects<TRow>(result) }
  }

  /** {@link query} with each row as an array, in the order of `columns`. */
  async queryArrays(
    query: string,
    parameters: readonly unknown[] = [],
    options: CallOptions = {},
  ): Promise<QueryResult<unknown[]>> {
    const body = { ...encodeStatement({ query, parameters }), arrayMode: true }
    return (await this.send({ ...options, method: 'POST', path: '/query', body })) as QueryResult<unknown[]>
  }

  /**
   * Runs statements in one transaction and one round trip: all, or on an error none. Within a transaction they are
   * part of it.
   */
  async batch(statements: readonly Statement[], options: CallOptions = {}): Promise<QueryResult[]> {
    if (statements.length === 0) return []
    const body = { statements: statements.map(encodeStatement), arrayMode: true }
    const results = await this.send({ ...options, method: 'POST', path: '/batch', body })
    return (results as QueryResult<unknown[]>[]).map((result) => ({ ...result, rows: toObjects(result) }))
  }

  /** The rows of a table. Nothing is sent before a method of it is called. */
  table<TRow extends Row = Row>(name: string): Table<TRow> {
    const path = `/tables/${encodeURIComponent(name)}`
    return new Table<TRow>((call) => this.send({ ...call, path }))
  }
}

function encodeStatement({ query, parameters = [] }: Statement): Statement {
  return { query, parameters: parameters.map((value) => encodeValue(value, 'hex')) }
}

function toObjects<TRow>({ columns, rows }: QueryResult<unknown[]>): TRow[] {
  return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])) as TRow)
}
