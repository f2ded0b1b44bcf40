// All that touches Drizzle's internals is in this file. Written against drizzle-orm 0.45, after its own
// node-postgres/session.js and driver.js.
import { entityKind } from 'drizzle-orm/entity'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { DefaultLogger, NoopLogger, type Logger } from 'drizzle-orm/logger'
import { readMigrationFiles, type MigrationConfig } from 'drizzle-orm/migrator'
import {
  PgDatabase,
  PgDialect,
  PgPreparedQuery,
  PgSession,
  PgTransaction,
  type PgQueryResultHKT,
  type PgTransactionConfig,
  type PreparedQueryConfig,
  type SelectedFieldsOrdered,
} from 'drizzle-orm/pg-core'
import {
  createTableRelationsHelpers,
  extractTablesRelationalConfig,
  type ExtractTablesWithRelations,
  type RelationalSchemaConfig,
  type TablesRelationalConfig,
} from 'drizzle-orm/relations'
import { fillPlaceholders, sql, type Query, type SQL } from 'drizzle-orm/sql'
import * as drizzleUtils from 'drizzle-orm/utils'
import type { DrizzleConfig } from 'drizzle-orm/utils'
import type { Database } from '../database.ts'
import type { QueryResult } from '../queryable.ts'
import type { Row } from '../table.ts'
import type { Transaction } from '../transaction.ts'
import type { CallOptions } from '../transport.ts'

/** The type of what `db.execute()` gives. */
export interface PhantomDBQueryResultHKT extends PgQueryResultHKT {
  type: QueryResult<this['row']>
}

/** A Drizzle database over a PhantomDB client. Made by {@link drizzle}. */
export type PhantomDBDatabase<TSchema extends FullSchema = Record<string, never>> = PgDatabase<
  PhantomDBQueryResultHKT,
  TSchema
>

/** What the callback of `db.transaction()` gets. */
export type PhantomDBTransaction<TSchema extends FullSchema = Record<string, never>> = PgTransaction<
  PhantomDBQueryResultHKT,
  TSchema,
  ExtractTablesWithRelations<TSchema>
>

/** What {@link drizzle} takes of Drizzle's options. */
export type PhantomDBDrizzleConfig<TSchema extends Record<string, unknown>> = Pick<
  DrizzleConfig<TSchema>,
  'schema' | 'logger' | 'casing'
>

type FullSchema = Record<string, unknown>
type JoinsNotNullable = Record<string, boolean> | undefined

// Not in Drizzle's types.
const { mapResultRow } = drizzleUtils as unknown as {
  mapResultRow: (fields: SelectedFieldsOrdered, row: unknown[], joins: JoinsNotNullable) => unknown
}

/** Where the statements of a session go, and how. */
interface Target {
  readonly executor: Database | Transaction
  readonly logger: Logger
  readonly callOptions?: CallOptions
}

class PhantomDBPreparedQuery<T extends PreparedQueryConfig> extends PgPreparedQuery<T> {
  static override readonly [entityKind]: string = 'PhantomDBPreparedQuery'
  // Set by Drizzle's query builders, and not in its types.
  declare joinsNotNullableMap: JoinsNotNullable
  readonly #target: Target
  readonly #mapRows: ((rows: unknown[][], joins: JoinsNotNullable) => T['execute']) | undefined

  constructor(
    query: Query,
    target: Target,
    mapRows: ((rows: unknown[][], joins: JoinsNotNullable) => T['execute']) | undefined,
  ) {
    super(query, undefined, undefined)
    this.#target = target
    this.#mapRows = mapRows
  }

  override async execute(values: Record<string, unknown> = {}): Promise<T['execute']> {
    const result = await this.#run(values)
    if (this.#mapRows) return this.#mapRows(result.rows, this.joinsNotNullableMap)
    return { ...result, rows: toObjects(result) }
  }

  /** The rows as objects, which Drizzle's migrator reads. */
  async all(values: Record<string, unknown> = {}): Promise<T['all']> {
    return toObjects(await this.#run(values))
  }

  async #run(values: Record<string, unknown>): Promise<QueryResult<unknown[]>> {
    const parameters = fillPlaceholders(this.query.params, values)
    const { executor, logger, callOptions } = this.#target
    logger.logQuery(this.query.sql, parameters)
    try {
      return withBuffers(await executor.queryArrays(this.query.sql, parameters, callOptions))
    } catch (error) {
      // As Drizzle's own drivers do.
      throw new DrizzleQueryError(this.query.sql, parameters, error as Error)
    }
  }
}

class PhantomDBSession<
  TFullSchema extends FullSchema,
  TSchema extends TablesRelationalConfig,
> extends PgSession<PhantomDBQueryResultHKT, TFullSchema, TSchema> {
  static override readonly [entityKind]: string = 'PhantomDBSession'
  readonly #target: Target
  readonly #schema: RelationalSchemaConfig<TSchema> | undefined

  constructor(dialect: PgDialect, target: Target, schema: RelationalSchemaConfig<TSchema> | undefined) {
    super(dialect)
    this.#target = target
    this.#schema = schema
  }

  // oxlint-disable-next-line max-params -- Drizzle's signature
  override prepareQuery<T extends PreparedQueryConfig = PreparedQueryConfig>(
    query: Query,
    fields: SelectedFieldsOrdered | undefined,
    _name: string | undefined,
    _isResponseInArrayMode: boolean,
    mapResult?: (rows: unknown[][]) => T['execute'],
  ): PgPreparedQuery<T> {
    const mapFields =
      fields &&
      ((rows: unknown[][], joins: JoinsNotNullable) => rows.map((row) => mapResultRow(fields, row, joins)))
    return new PhantomDBPreparedQuery<T>(query, this.#target, mapResult ?? mapFields)
  }

  override async transaction<T>(
    run: (tx: NestableTransaction<TFullSchema, TSchema>) => Promise<T>,
    config: PgTransactionConfig = {},
  ): Promise<T> {
    // Within a transaction, as in migrations: a part of it.
    const { executor } = this.#target
    if (!('beginTransaction' in executor)) {
      return await new NestableTransaction<TFullSchema, TSchema>(
        this.dialect,
        this,
        this.#schema,
      ).transaction(run)
    }
    const { deferrable, ...settings } = config
    const transaction = await executor.beginTransaction(settings)
    const session = new PhantomDBSession<TFullSchema, TSchema>(
      this.dialect,
      { ...this.#target, executor: transaction },
      this.#schema,
    )
    const tx = new NestableTransaction<TFullSchema, TSchema>(this.dialect, session, this.#schema)
    try {
      if (deferrable !== undefined) await tx.setTransaction({ deferrable })
      const result = await run(tx)
      await transaction.commit()
      return result
    } catch (error) {
      // The first error is the one to tell.
      await transaction.rollback().catch(() => {})
      throw error
    }
  }

  override async count(query: SQL): Promise<number> {
    const { rows } = await this.execute<QueryResult<{ count: unknown }>>(query)
    return Number(rows[0]?.count)
  }
}

class NestableTransaction<
  TFullSchema extends FullSchema,
  TSchema extends TablesRelationalConfig,
> extends PgTransaction<PhantomDBQueryResultHKT, TFullSchema, TSchema> {
  static override readonly [entityKind]: string = 'PhantomDBTransaction'
  #lastNested: Promise<unknown> = Promise.resolve()

  /** Runs a part that fails on its own: a savepoint. Parts begun at the same time run one after another. */
  override transaction<T>(run: (tx: NestableTransaction<TFullSchema, TSchema>) => Promise<T>): Promise<T> {
    // Savepoints are a stack: going back to one destroys those that came after it.
    const turn = this.#lastNested.then(() => this.#runNested(run))
    this.#lastNested = turn.catch(() => {})
    return turn
  }

  async #runNested<T>(run: (tx: NestableTransaction<TFullSchema, TSchema>) => Promise<T>): Promise<T> {
    const depth = this.nestedIndex + 1
    const savepoint = sql.identifier(`sp${depth}`)
    const { session } = this._
    const tx = new NestableTransaction<TFullSchema, TSchema>(dialectOf(session), session, this.schema, depth)
    await tx.execute(sql`savepoint ${savepoint}`)
    try {
      const result = await run(tx)
      await tx.execute(sql`release savepoint ${savepoint}`)
      return result
    } catch (error) {
      // When this fails, the whole transaction is lost and its next statement says so.
      await tx.execute(sql`rollback to savepoint ${savepoint}`).catch(() => {})
      throw error
    }
  }
}

/**
 * Drizzle over HTTP, transactions included.
 * @example
 * const db = drizzle(client, { schema })
 * await db.transaction(async (tx) => tx.insert(users).values({ email: 'ada@example.com' }))
 */
export function drizzle<
  TSchema extends FullSchema = Record<string, never>,
  TClient extends Database = Database,
>(
  client: TClient,
  config: PhantomDBDrizzleConfig<TSchema> = {},
): PhantomDBDatabase<TSchema> & { $client: TClient } {
  const dialect = new PgDialect(config.casing === undefined ? {} : { casing: config.casing })
  const logger = config.logger === true ? new DefaultLogger() : config.logger || new NoopLogger()
  const schema = config.schema && relationalSchema(config.schema)
  const session = new PhantomDBSession<TSchema, ExtractTablesWithRelations<TSchema>>(
    dialect,
    { executor: client, logger },
    schema,
  )
  return Object.assign(new PgDatabase<PhantomDBQueryResultHKT, TSchema>(dialect, session, schema), {
    $client: client,
  })
}

/**
 * Applies the migrations of a folder that drizzle-kit made, each once: all, or on an error none. Processes that migrate
 * at the same time take turns.
 */
export async function migrate(db: { readonly $client: Database }, config: MigrationConfig): Promise<void> {
  const migrations = readMigrationFiles(config)
  const dialect = new PgDialect()
  const session = new PhantomDBSession<Record<string, never>, Record<string, never>>(
    dialect,
    // The turn of others, or a large index, may take its time.
    { executor: db.$client, logger: new NoopLogger(), callOptions: { requestTimeoutMs: Infinity } },
    undefined,
  )
  await session.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('drizzle migrations', 0))`)
    await dialect.migrate(migrations, tx._.session, config)
  })
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

// Protected in Drizzle's types.
const dialectOf = (session: object): PgDialect => (session as { dialect: PgDialect }).dialect

function toObjects({ columns, rows }: QueryResult<unknown[]>): Row[] {
  return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])))
}

const byteaOid = 17

// Drivers of PostgreSQL give Buffers, and custom types of columns expect them.
function withBuffers(result: QueryResult<unknown[]>): QueryResult<unknown[]> {
  if (!result.types.includes(byteaOid)) return result
  const decode = (value: unknown, index: number): unknown =>
    result.types[index] === byteaOid && typeof value === 'string' ? Buffer.from(value, 'base64') : value
  return { ...result, rows: result.rows.map((row) => row.map(decode)) }
}
