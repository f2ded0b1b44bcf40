import type { WithCacheConfig } from 'drizzle-orm/cache/core/types'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import type { RelationalSchemaConfig, TablesRelationalConfig } from 'drizzle-orm/relations'
import type { Query } from 'drizzle-orm/sql'
import {
  SQLiteSession,
  SQLiteTransaction,
  type PreparedQueryConfig,
  type SelectedFieldsOrdered,
  type SQLiteAsyncDialect,
  type SQLiteExecuteMethod,
  type SQLitePreparedQuery,
  type SQLiteTransactionConfig,
} from 'drizzle-orm/sqlite-core'
import { withBuffers } from '../blobs.ts'
import { rowsOf, runResultOf, type BatchStatement, type SqliteWorkerRunResult } from './executor.ts'
import { SqliteWorkerPreparedQuery, type QueryInit, type Target } from './prepared-query.ts'

/** What a query builder, or raw SQL, is in a batch. */
export interface BatchQuery {
  _prepare(): BatchItem
}

interface BatchItem {
  getQuery(): Query & { method?: 'all' | 'get' | 'values' | 'run' }
  mapResult(outcome: unknown, isFromBatch: boolean): unknown
}

/** Brings the queries of Drizzle's builders to a worker, or to one of its transactions. */
export class SqliteWorkerSession<
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig,
> extends SQLiteSession<'async', SqliteWorkerRunResult, TFullSchema, TSchema> {
  readonly #dialect: SQLiteAsyncDialect
  readonly #schema: RelationalSchemaConfig<TSchema> | undefined
  readonly #target: Target
  readonly #depth: number

  // oxlint-disable-next-line max-params -- the last is for transactions only
  constructor(
    dialect: SQLiteAsyncDialect,
    schema: RelationalSchemaConfig<TSchema> | undefined,
    target: Target,
    depth = 0,
  ) {
    super(dialect)
    this.#dialect = dialect
    this.#schema = schema
    this.#target = target
    this.#depth = depth
  }

  // oxlint-disable-next-line max-params -- Drizzle's signature
  override prepareQuery(
    query: Query,
    fields: SelectedFieldsOrdered | undefined,
    method: SQLiteExecuteMethod,
    _isResponseInArrayMode: boolean,
    mapRows?: (rows: unknown[][]) => unknown,
    tables?: QueryInit['tables'],
    cacheConfig?: WithCacheConfig,
  ): SQLitePreparedQuery<PreparedQueryConfig & { type: 'async' }> {
    return new SqliteWorkerPreparedQuery(
      { query, fields, method, mapRows, tables, cacheConfig },
      this.#target,
    )
  }

  override transaction<T>(
    run: (tx: SqliteWorkerTransaction<TFullSchema, TSchema>) => Promise<T>,
    { behavior }: SQLiteTransactionConfig = {},
  ): Promise<T> {
    // a nested one is a savepoint, whatever behavior says
    const options = this.#depth === 0 && behavior !== undefined ? { mode: behavior } : undefined
    return this.#target.executor.transaction((executor) => {
      const depth = this.#depth + 1
      const session = new SqliteWorkerSession<TFullSchema, TSchema>(
        this.#dialect,
        this.#schema,
        { ...this.#target, executor },
        depth,
      )
      return run(new SqliteWorkerTransaction('async', this.#dialect, session, this.#schema, depth))
    }, options)
  }

  async batch(queries: readonly BatchQuery[]): Promise<unknown[]> {
    const items = queries.map((query) => query._prepare())
    const statements = items.map(toStatement)
    const { executor, logger, cache } = this.#target
    for (const { sql, params } of statements) logger?.logQuery(sql, params as unknown[])
    let outcomes: unknown[]
    try {
      outcomes = await executor.batch(statements)
    } catch (error) {
      throw new DrizzleQueryError(failedSql(error, statements), [], error as Error)
    }
    if (cache) {
      for (const item of items) if (item instanceof SqliteWorkerPreparedQuery) await item.invalidate(cache)
    }
    return outcomes.map((outcome, index) => items[index]?.mapResult(outcome, true))
  }

  // What raw SQL calls in a batch; not in Drizzle's types.

  extractRawRunValueFromBatchResult(outcome: unknown): unknown {
    return runResultOf(outcome)
  }

  extractRawAllValueFromBatchResult(outcome: unknown): unknown {
    return withBuffers(rowsOf(outcome))
  }

  extractRawGetValueFromBatchResult(outcome: unknown): unknown {
    return withBuffers(rowsOf(outcome))[0]
  }

  extractRawValuesValueFromBatchResult(outcome: unknown): unknown {
    return withBuffers(rowsOf(outcome))
  }
}

/** What the callback of `db.transaction()` gets. Its own `transaction()` is a savepoint. */
export class SqliteWorkerTransaction<
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig,
> extends SQLiteTransaction<'async', SqliteWorkerRunResult, TFullSchema, TSchema> {}

function toStatement(item: BatchItem): BatchStatement {
  if (item instanceof SqliteWorkerPreparedQuery) return item.toStatement()
  const { sql, params, method } = item.getQuery()
  return {
    sql,
    params: params as BatchStatement['params'],
    rowMode: method === 'values' ? 'array' : 'object',
  }
}

/** The text of the statement that failed, where the error tells, or of all. */
function failedSql(error: unknown, statements: readonly BatchStatement[]): string {
  const { sql } = error as { sql?: unknown }
  return typeof sql === 'string' ? sql : statements.map((statement) => statement.sql).join(';\n')
}
