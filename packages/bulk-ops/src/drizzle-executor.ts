import { and, eq, getTableColumns, or, sql, type Column, type SQL } from 'drizzle-orm'
import type { DrizzleQuery, Driver } from './drizzle/databases.ts'
import type { Batch, Executor, ResolvedUpsert, Row, Written } from './executor.ts'
import { runAwaiting, step, type Steps } from './steps.ts'
import type { ColumnMeta, Dialect, TableMeta } from './table-meta.ts'
import { upsertOneByOne } from './upsert-one-by-one.ts'

/** The most parameters of a statement. */
const MAX_PARAMETERS: Record<Dialect, number> = { postgres: 65_535, sqlite: 32_766 }

/** Drizzle's sessions whose `transaction` only raises an error. */
const WITHOUT_TRANSACTIONS = new Set([
  'NeonHttpSession',
  'NetlifyDbSession',
  'PgRemoteSession',
  'SQLiteD1Session',
  'XataHttpSession',
])

/** Writes through Drizzle's own query builders, over any driver: one insert for as many rows as parameters allow. */
export class DrizzleExecutor implements Executor {
  readonly canTransact: boolean
  readonly isSynchronous = false
  readonly #driver: Driver

  constructor(driver: Driver) {
    this.#driver = driver
    // A transaction of a synchronous driver ends before anything that is awaited in it.
    this.canTransact = !driver.isSynchronous && !WITHOUT_TRANSACTIONS.has(driver.kind)
  }

  transaction<T>(body: (inside: Executor) => Steps<T>): Promise<T> {
    return this.#driver.db.transaction((tx) =>
      runAwaiting(body(new DrizzleExecutor({ ...this.#driver, db: tx }))),
    )
  }

  *insert({ table, rows, wanted }: Batch, onConflict: 'error' | 'ignore'): Steps<Written> {
    // Only what is returned tells which rows were not skipped.
    const returning = onConflict === 'ignore' && wanted.length === 0 ? table.columns.slice(0, 1) : wanted
    const perStatement = Math.max(1, Math.floor(MAX_PARAMETERS[table.dialect] / table.columns.length))
    const made: Row[] = []
    for (let from = 0; from < rows.length; from += perStatement) {
      const insert = this.#driver.db.insert(table.table).values(rows.slice(from, from + perStatement))
      if (onConflict === 'ignore') insert.onConflictDoNothing()
      if (returning.length > 0) insert.returning(fieldsOf(table, returning))
      const part = yield* this.#run(insert, returning.length > 0)
      if (returning.length > 0) for (const row of part) made.push(row)
    }
    const created = onConflict === 'ignore' ? made.length : rows.length
    return {
      rows: wanted.length > 0 ? made : [],
      counts: { created, updated: 0, unchanged: rows.length - created },
    }
  }

  upsert(batch: Batch, { target, update }: ResolvedUpsert): Steps<Written> {
    const { table, wanted } = batch
    const { db } = this.#driver
    const fields = fieldsOf(table, wanted.length > 0 ? wanted : target)
    const run = <T>(query: DrizzleQuery<T>) => this.#run(query, true)
    return upsertOneByOne(this, batch, function* (row) {
      const isSame = and(...target.map(({ key }) => eq(columnOf(table, key), row[key])))
      const [existing] = yield* run(db.select(fields).from(table.table).where(isSame))
      const given = update.filter(({ key }) => row[key] !== undefined)
      if (!existing || given.length === 0) return existing && { row: existing, isUpdated: false }
      const values = Object.fromEntries(given.map(({ key }) => [key, row[key]]))
      const differs = or(...given.map((column) => isDistinct(table, column, row)))
      const [updated] = yield* run(
        db.update(table.table).set(values).where(and(isSame, differs)).returning(fields),
      )
      return { row: updated ?? existing, isUpdated: updated !== undefined }
    })
  }

  *#run<T>(query: DrizzleQuery<T>, hasRows: boolean): Steps<T> {
    if (this.#driver.dialect === 'postgres') return yield* step(query.execute())
    return yield* step(hasRows ? query.all() : query.run())
  }
}

function isDistinct(table: TableMeta, { key, sqlType }: ColumnMeta, row: Row): SQL {
  const column = columnOf(table, key)
  const value = sql.param(row[key], column)
  if (table.dialect === 'sqlite') return sql`${column} is not ${value}`
  // The type json cannot be compared.
  return sqlType === 'json'
    ? sql`${column}::jsonb is distinct from ${value}::jsonb`
    : sql`${column} is distinct from ${value}`
}

function fieldsOf(table: TableMeta, columns: readonly ColumnMeta[]): Record<string, Column> {
  return Object.fromEntries(columns.map(({ key }) => [key, columnOf(table, key)]))
}

function columnOf(table: TableMeta, key: string): Column {
  const column: Column | undefined = getTableColumns(table.table)[key]
  if (!column) throw new TypeError(`${table.name} has no column ${key}`)
  return column
}
