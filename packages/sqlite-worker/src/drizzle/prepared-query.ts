import type { Cache } from 'drizzle-orm/cache/core'
import type { WithCacheConfig } from 'drizzle-orm/cache/core/types'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import type { Logger } from 'drizzle-orm/logger'
import { fillPlaceholders, type Query } from 'drizzle-orm/sql'
import {
  SQLitePreparedQuery,
  type PreparedQueryConfig,
  type SelectedFieldsOrdered,
  type SQLiteExecuteMethod,
} from 'drizzle-orm/sqlite-core'
import { withBuffers } from '../blobs.ts'
import type { Params } from '../values.ts'
import { rowsOf, runResultOf, type BatchStatement, type Executor, type ReadOptions } from './executor.ts'
import { createRowMapper, mayHoldInt64, type JoinsNotNullable, type RowMapper } from './row-mapping.ts'

/** Where the queries of a session go, and who is told. */
export interface Target<TExecutor extends Executor = Executor> {
  readonly executor: TExecutor
  readonly logger: Logger | undefined
  readonly cache: Cache | undefined
}

/** What a query builder says of its query. */
export interface QueryInit {
  readonly query: Query
  readonly method: SQLiteExecuteMethod
  /** What the columns of a row are; absent for raw SQL and for relational queries. */
  readonly fields: SelectedFieldsOrdered | undefined
  /** How a relational query maps its rows. */
  readonly mapRows: ((rows: unknown[][]) => unknown) | undefined
  readonly tables: { type: 'select' | 'update' | 'delete' | 'insert'; tables: string[] } | undefined
  readonly cacheConfig: WithCacheConfig | undefined
}

const arrays: ReadOptions = { rowMode: 'array' }
const exactArrays: ReadOptions = { rowMode: 'array', int64: 'bigint' }

// Not in Drizzle's types.
interface CachedQueries {
  queryWithCache<T>(sql: string, params: unknown[], query: () => Promise<T>): Promise<T>
}

/** A query with its mapping, run as often as one likes. */
export class SqliteWorkerPreparedQuery extends SQLitePreparedQuery<PreparedQueryConfig & { type: 'async' }> {
  // Set by Drizzle's query builders, and not in its types.
  declare joinsNotNullableMap: JoinsNotNullable
  readonly #target: Target
  readonly #fields: SelectedFieldsOrdered | undefined
  readonly #mapRows: QueryInit['mapRows']
  readonly #tables: QueryInit['tables']
  readonly #readOptions: ReadOptions | undefined
  #rowMapper: RowMapper | undefined

  constructor(init: QueryInit, target: Target) {
    super('async', init.method, init.query, target.cache, init.tables, init.cacheConfig)
    this.#target = target
    this.#fields = init.fields
    this.#mapRows = init.mapRows
    this.#tables = init.tables
    this.#readOptions = readOptionsOf(init, target)
  }

  override run(values?: Record<string, unknown>): Promise<unknown> {
    return this.#query(values, undefined, runResultOf)
  }

  override all(values?: Record<string, unknown>): Promise<unknown> {
    return this.#query(values, this.#readOptions, this.#toAll)
  }

  override get(values?: Record<string, unknown>): Promise<unknown> {
    return this.#query(values, this.#readOptions, this.#toFirst)
  }

  override values(values?: Record<string, unknown>): Promise<unknown> {
    return this.#query(values, arrays, toValues)
  }

  override mapRunResult(outcome: unknown): unknown {
    return runResultOf(outcome)
  }

  override mapAllResult(outcome: unknown): unknown {
    return this.#toAll(outcome)
  }

  override mapGetResult(outcome: unknown): unknown {
    return this.#toFirst(outcome)
  }

  /** The query as a step of a batch. */
  toStatement(): BatchStatement {
    const { sql, params } = this.query
    return { sql, params: fillPlaceholders(params, {}) as Params, ...this.#readOptions }
  }

  /** Tells a cache that the query changed its tables, if it is one that does. */
  async invalidate(cache: Cache): Promise<void> {
    if (this.#tables && this.#tables.type !== 'select' && this.#tables.tables.length > 0)
      await cache.onMutate({ tables: this.#tables.tables })
  }

  async #query<T>(
    values: Record<string, unknown> | undefined,
    options: ReadOptions | undefined,
    map: (outcome: unknown) => T,
  ): Promise<T> {
    const { sql } = this.query
    const params = fillPlaceholders(this.query.params, values ?? {})
    const { executor, logger, cache } = this.#target
    logger?.logQuery(sql, params)
    const execute = async () => executor.execute(sql, params as Params, options)
    if (cache) return map(await (this as unknown as CachedQueries).queryWithCache(sql, params, execute))
    try {
      return map(await executor.execute(sql, params as Params, options))
    } catch (error) {
      throw new DrizzleQueryError(sql, params, error as Error) // as Drizzle's own drivers do
    }
  }

  readonly #toAll = (outcome: unknown): unknown => {
    const rows = rowsOf(outcome)
    if (this.#mapRows) return this.#mapRows(withBuffers(rows) as unknown[][])
    if (!this.#fields) return withBuffers(rows)
    const mapRow = this.#mapperOf(this.#fields)
    return rows.map((row) => mapRow(row as unknown[]))
  }

  readonly #toFirst = (outcome: unknown): unknown => {
    const [row] = rowsOf(outcome)
    if (row === undefined) return undefined
    if (this.#mapRows) return this.#mapRows(withBuffers([row]) as unknown[][])
    return this.#fields ? this.#mapperOf(this.#fields)(row as unknown[]) : withBuffers([row])[0]
  }

  #mapperOf(fields: SelectedFieldsOrdered): RowMapper {
    this.#rowMapper ??= createRowMapper(fields, this.joinsNotNullableMap)
    return this.#rowMapper
  }
}

function readOptionsOf({ fields, mapRows }: QueryInit, { cache }: Target): ReadOptions | undefined {
  if (mapRows) return arrays
  if (!fields) return undefined
  return mayHoldInt64(fields) && !cache ? exactArrays : arrays // caches keep JSON, which has no bigints
}

const toValues = (outcome: unknown): unknown => withBuffers(rowsOf(outcome))
