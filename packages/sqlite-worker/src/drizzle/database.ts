import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import { DefaultLogger } from 'drizzle-orm/logger'
import {
  createTableRelationsHelpers,
  extractTablesRelationalConfig,
  type ExtractTablesWithRelations,
  type RelationalSchemaConfig,
} from 'drizzle-orm/relations'
import { BaseSQLiteDatabase, type SQLiteAsyncDialect } from 'drizzle-orm/sqlite-core'
import type { DrizzleConfig } from 'drizzle-orm/utils'
import { checkOptions, type OptionChecks } from '../check-options.ts'
import { SqliteWorkerDialect } from './dialect.ts'
import type { Executor, SqliteWorkerRunResult } from './executor.ts'
import { SqliteWorkerSession, type BatchQuery } from './session.ts'

type FullSchema = Record<string, unknown>

/** A Drizzle database over a worker. Made by {@link drizzle}. */
export class SqliteWorkerDatabase<
  TSchema extends FullSchema = Record<string, never>,
> extends BaseSQLiteDatabase<'async', SqliteWorkerRunResult, TSchema> {
  readonly #session: SqliteWorkerSession<TSchema, ExtractTablesWithRelations<TSchema>>

  /** For this package only: call {@link drizzle}. */
  constructor(
    dialect: SQLiteAsyncDialect,
    session: SqliteWorkerSession<TSchema, ExtractTablesWithRelations<TSchema>>,
    schema: RelationalSchemaConfig<ExtractTablesWithRelations<TSchema>> | undefined,
  ) {
    super('async', dialect, session, schema)
    this.#session = session
  }

  /**
   * Runs queries in order in one message to the thread, all or nothing. Resolves to their results. Rejects with a
   * `DrizzleQueryError` whose `cause` says which one failed.
   */
  async batch<U extends BatchItem<'sqlite'>, T extends Readonly<[U, ...U[]]>>(
    queries: T,
  ): Promise<BatchResponse<T>> {
    return (await this.#session.batch(queries as unknown as BatchQuery[])) as BatchResponse<T>
  }
}

const configChecks: OptionChecks<DrizzleConfig<FullSchema>> = {
  schema: { expected: 'an object of tables and relations', accepts: isObject },
  logger: {
    expected: 'a boolean or a logger',
    accepts: (value) => typeof value === 'boolean' || isObject(value),
  },
  casing: {
    expected: "'snake_case' or 'camelCase'",
    accepts: (value) => value === 'snake_case' || value === 'camelCase',
  },
  cache: { expected: 'a cache', accepts: isObject },
}

/**
 * A Drizzle database over a worker. Queries never block the event loop, concurrent writes share commits, and
 * `db.transaction()` is isolated: writes made anywhere else wait and are never part of it, while queries on `db` inside
 * its callback are.
 *
 * Errors of the worker are the `cause` of Drizzle's `DrizzleQueryError`. The worker stays open: closing it is the
 * caller's.
 * @throws {InvalidOptionError} when an option is unknown or does not fit.
 * @example
 * const db = drizzle(worker, { schema })
 * await db.transaction(async (tx) => {
 *   await tx.insert(users).values({ name: 'Ada' })
 * })
 */
export function drizzle<
  TSchema extends FullSchema = Record<string, never>,
  TWorker extends Executor = Executor,
>(
  worker: TWorker,
  config: DrizzleConfig<TSchema> = {},
): SqliteWorkerDatabase<TSchema> & { $client: TWorker } {
  checkOptions<DrizzleConfig<FullSchema>>(config, configChecks)
  const { cache } = config
  const dialect = new SqliteWorkerDialect(config.casing === undefined ? {} : { casing: config.casing })
  const logger = config.logger === true ? new DefaultLogger() : config.logger || undefined
  const schema = config.schema && relationalSchema(config.schema)
  const session = new SqliteWorkerSession<TSchema, ExtractTablesWithRelations<TSchema>>(dialect, schema, {
    executor: worker,
    logger,
    cache,
  })
  const db = new SqliteWorkerDatabase<TSchema>(dialect, session, schema)
  if (cache) db.$cache = { invalidate: (params) => cache.onMutate(params) }
  return Object.assign(db, { $client: worker })
}

function relationalSchema<TSchema extends FullSchema>(
  fullSchema: TSchema,
): RelationalSchemaConfig<ExtractTablesWithRelations<TSchema>> {
  const { tables, tableNamesMap } = extractTablesRelationalConfig<ExtractTablesWithRelations<TSchema>>(
    fullSchema,
    createTableRelationsHelpers,
  )
  return { fullSchema, schema: tables, tableNamesMap }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
