import { assembleRows, decodeRows, type RawRow } from '../assemble-rows.ts'
import type { Driver } from '../drizzle/databases.ts'
import { quote } from '../drizzle/tables.ts'
import { DrizzleExecutor } from '../drizzle-executor.ts'
import { encodeBatch, encodeCell, holdsSql, touchedColumns } from '../encode.ts'
import { UnsupportedError } from '../errors.ts'
import type { Batch, Executor, ResolvedUpsert, Row, Written } from '../executor.ts'
import { runNow, step, type Steps } from '../steps.ts'
import type { ColumnMeta } from '../table-meta.ts'
import { upsertOneByOne, type Existing } from '../upsert-one-by-one.ts'

/** The most parameters of a statement: https://www.sqlite.org/limits.html#max_variable_number */
const MAX_PARAMETERS = 32_766

interface Statement {
  raw(): Statement
  run(params: readonly unknown[]): { changes: number }
  get(params: readonly unknown[]): RawRow | undefined
  all(params: readonly unknown[]): RawRow[]
}

/** What is used of better-sqlite3's Database. */
export interface Client {
  prepare(sql: string): Statement
  transaction<T>(body: () => T): { immediate(): T }
}

/** Writes through better-sqlite3 itself: prepared statements of many rows, each of them at once. */
export class BetterSqliteExecutor implements Executor {
  readonly canTransact = true
  readonly isSynchronous = true
  readonly #driver: Driver
  readonly #client: Client
  readonly #statements = new Map<string, Statement>()

  constructor(driver: Driver, client: Client) {
    this.#driver = driver
    this.#client = client
  }

  /** A savepoint when a transaction is open on the connection, however it was begun. */
  transaction<T>(body: (inside: Executor) => Steps<T>): T {
    return this.#client.transaction(() => runNow(body(this))).immediate()
  }

  *insert(batch: Batch, onConflict: 'error' | 'ignore'): Steps<Written> {
    const encoded = encodeBatch(batch)
    if (encoded.hasSql) return yield* new DrizzleExecutor(this.#driver).insert(batch, onConflict)
    const { columns, cells } = encoded
    const returning = onConflict === 'ignore' ? batch.wanted : encoded.unknown
    const end = `${onConflict === 'ignore' ? ' on conflict do nothing' : ''}${returningClause(returning)}`
    const start = `insert into ${quote(batch.table.name)} (${listOf(columns)}) values `
    const width = columns.length
    const most = Math.max(1, Math.floor(MAX_PARAMETERS / width)) * width
    const returned: RawRow[] = []
    let created = 0
    for (let from = 0; from < cells.length; from += most) {
      const params = cells.length <= most ? cells : cells.slice(from, from + most)
      const row = `(${'?,'.repeat(width - 1)}?)`
      const sql = `${start}${`${row},`.repeat(params.length / width - 1)}${row}${end}`
      if (returning.length === 0) created += this.#prepare(sql, params).run(params).changes
      else for (const raw of this.#prepare(sql, params).all(params)) returned.push(raw)
    }
    if (returning.length > 0) created = returned.length
    if (onConflict === 'error' && batch.wanted.length > 0 && created !== batch.rows.length) {
      throw new UnsupportedError(`A trigger of ${batch.table.name} left out rows; use returning: 'none'`)
    }
    const rows =
      onConflict === 'ignore'
        ? decodeRows(returning, returned)
        : assembleRows(batch.wanted, encoded, returned)
    return { rows, counts: { created, updated: 0, unchanged: batch.rows.length - created } }
  }

  *upsert(batch: Batch, upsert: ResolvedUpsert): Steps<Written> {
    if (holdsSql(batch)) return yield* new DrizzleExecutor(this.#driver).upsert(batch, upsert)
    const update = (row: Row): Existing | undefined => {
      const existing = this.#find(batch, row, upsert.target)
      const updated = existing && this.#update(batch, row, upsert)
      const [decoded] = decodeRows(batch.wanted, [updated ?? existing ?? []])
      return existing && decoded && { row: decoded, isUpdated: updated !== undefined }
    }
    return yield* upsertOneByOne(this, batch, (row) => step(update(row)))
  }

  #find({ table, wanted }: Batch, row: Row, target: readonly ColumnMeta[]): RawRow | undefined {
    const found = wanted.length > 0 ? listOf(wanted) : '1'
    const sql = `select ${found} from ${quote(table.name)} where ${listOf(target, ' = ?', ' and ')}`
    const params = target.map((column) => encodeCell(column, row))
    return this.#prepare(sql, params).get(params)
  }

  /** The row after an update; undefined when it had these values already. */
  #update({ table, wanted }: Batch, row: Row, { target, update }: ResolvedUpsert): RawRow | undefined {
    const given = update.filter(({ key }) => row[key] !== undefined)
    if (given.length === 0) return undefined
    const touched = touchedColumns(table, given)
    const values = given.map((column) => encodeCell(column, row))
    const params = [
      ...values,
      ...touched.map((column) => column.encode(column.makeOnUpdate?.())),
      ...target.map((column) => encodeCell(column, row)),
      ...values,
    ]
    const where = `${listOf(target, ' = ?', ' and ')} and (${listOf(given, ' is not ?', ' or ')})`
    const end = wanted.length > 0 ? returningClause(wanted) : ' returning 1'
    const sql = `update ${quote(table.name)} set ${listOf([...given, ...touched], ' = ?')} where ${where}${end}`
    return this.#prepare(sql, params).get(params)
  }

  #prepare(sql: string, params: readonly unknown[]): Statement {
    this.#driver.db.session.logger?.logQuery(sql, params)
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#client.prepare(sql)
      if (/ returning |^select /.test(sql)) statement.raw()
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

function listOf(columns: readonly ColumnMeta[], behind = '', between = ', '): string {
  return columns.map(({ name }) => quote(name) + behind).join(between)
}

function returningClause(columns: readonly ColumnMeta[]): string {
  return columns.length > 0 ? ` returning ${listOf(columns)}` : ''
}
