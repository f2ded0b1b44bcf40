import { encodeRow, toJson } from './encode.ts'
import { conditionOf, type Filter, type Selection } from './filter.ts'
import type { Call, CallOptions } from './transport.ts'

/** A row by column name. */
export type Row = Record<string, unknown>

/** Which rows to read, and what of them. */
export interface SelectOptions extends CallOptions {
  /** @default all */
  columns?: readonly string[] | undefined
  /** @default every row */
  where?: Filter | undefined
  /** Column names, `-name` for descending: `['-createdAt', 'id']` or `'-createdAt,id'`. @default undefined order */
  order?: string | readonly string[] | undefined
  /** 0 to 10_000. @default all rows; more than 10_000 are an error */
  limit?: number | undefined
  offset?: number | undefined
}

/** What an insert gives back. */
export interface InsertOptions extends CallOptions {
  /** Columns of the new rows to give back; `'*'` means all. */
  returning?: '*' | readonly string[] | undefined
}

/** What became of one row. */
export interface InsertedRow<TRow> {
  /** The primary key, where that is one column; else null. */
  readonly id: unknown
  /** The row's columns that `returning` named. */
  readonly record: Partial<TRow> | undefined
}

/** What became of several rows. */
export interface InsertedRows<TRow> {
  /** The primary keys in the order of the rows. */
  readonly ids: readonly unknown[]
  readonly records: readonly Partial<TRow>[] | undefined
}

/** Sends a call of a table; `path` is what follows the table. */
type Send = (call: Omit<Call, 'path'>) => Promise<unknown>

/** The rows of one table. */
export class Table<TRow extends Row = Row> {
  readonly #send: Send

  /** Made by `table(name)`. */
  constructor(send: Send) {
    this.#send = send
  }

  /** Reads rows. Values come as the table of types in the README says. */
  async select(options: SelectOptions = {}): Promise<TRow[]> {
    const { columns, where, order, limit, offset, ...rest } = options
    const query = {
      select: columns?.join(','),
      condition: where === undefined ? undefined : conditionText(where),
      order: typeof order === 'string' ? order : order?.join(','),
      limit: limit === undefined ? undefined : String(limit),
      offset: offset === undefined ? undefined : String(offset),
    }
    const { records } = (await this.#send({ ...rest, method: 'GET', query })) as { records: TRow[] }
    return records
  }

  /** Inserts one row. Columns it leaves out get their defaults. */
  insert(row: Partial<TRow>, options?: InsertOptions): Promise<InsertedRow<TRow>>
  /** Inserts rows: all, or on an error none. */
  insert(rows: readonly Partial<TRow>[], options?: InsertOptions): Promise<InsertedRows<TRow>>
  async insert(
    rows: Partial<TRow> | readonly Partial<TRow>[],
    { returning, ...rest }: InsertOptions = {},
  ): Promise<InsertedRow<TRow> | InsertedRows<TRow>> {
    const query = { returning: typeof returning === 'object' ? returning.join(',') : returning }
    if (!isList(rows)) {
      const body = encodeRow(rows)
      const reply = (await this.#send({ ...rest, method: 'POST', query, body })) as InsertReply<TRow>
      return { id: reply.id, record: reply.records?.[0] }
    }
    if (rows.length === 0) return { ids: [], records: returning && [] }
    const body = rows.map((row) => encodeRow(row))
    const reply = (await this.#send({ ...rest, method: 'POST', query, body })) as InsertReply<TRow>
    return { ids: reply.ids ?? [], records: reply.records }
  }

  /** Changes the rows of a selection. Gives their number. */
  async update(data: Partial<TRow>, selection: Selection, options: CallOptions = {}): Promise<number> {
    const body = { data: encodeRow(data), condition: conditionOf(selection) }
    return countOf(await this.#send({ ...options, method: 'PUT', body }))
  }

  /** Deletes the rows of a selection. Gives their number. */
  async delete(selection: Selection, options: CallOptions = {}): Promise<number> {
    const query = { condition: conditionText(conditionOf(selection)) }
    return countOf(await this.#send({ ...options, method: 'DELETE', query }))
  }
}

interface InsertReply<TRow> {
  readonly id?: unknown
  readonly ids?: readonly unknown[]
  readonly records?: readonly Partial<TRow>[]
}

const countOf = (reply: unknown): number => (reply as { count: number }).count

const conditionText = (filter: Filter): string => (typeof filter === 'string' ? filter : toJson(filter))

// Array.isArray does not tell readonly lists from rows.
const isList = <T>(rows: T | readonly T[]): rows is readonly T[] => Array.isArray(rows)
