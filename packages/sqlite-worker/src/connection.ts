import { checkOptions, type OptionChecks } from './check-options.ts'
import type { Conditions } from './crud/conditions.ts'
import { deleteStatement, updateStatement, type ChangeOptions } from './crud/change.ts'
import { insertStatement, type InsertOptions } from './crud/insert.ts'
import { selectStatement, type SelectOptions } from './crud/select.ts'
import type { InputRow, OneOrMore, ReturningOption, Statement, Storable } from './crud/statement.ts'
import type { Engine, SubmitOptions } from './engine/engine.ts'
import type { Lane } from './engine/lane.ts'
import type { OperationInit } from './engine/operation.ts'
import type { WriteResult, WriteResultArray } from './engine/results.ts'
import type { Row, RowArray, RowMode } from './engine/row-shape.ts'
import { readChecks, type Consistency } from './options.ts'
import { proceduresOf, type Procedures } from './procedures.ts'
import { Control, type Int64Mode, type WireParams } from './protocol.ts'
import { findTransactionControl } from './sql/script.ts'
import { streamRows } from './stream.ts'
import { Token } from './token.ts'
import { toStoredParams, type DateFormat, type Params } from './values.ts'
import { UsageError } from './errors.ts'

type Verb<S extends string> = S extends `${' ' | '\n' | '\t'}${infer Rest}` ? Verb<Rest> : Uppercase<S>
type Reads = 'SELECT' | 'VALUES' | 'EXPLAIN'
type Writes = 'INSERT' | 'UPDATE' | 'DELETE' | 'REPLACE' | 'CREATE' | 'DROP' | 'ALTER'

/** What a statement resolves to: rows for one that reads, a write's result for one that writes; either where its text does not tell. */
export type ExecuteResult<S extends string> = S extends unknown
  ? Verb<S> extends `${Reads}${string}`
    ? Row[]
    : Verb<S> extends `${Writes}${string}`
      ? WriteResult
      : Row[] | WriteResult
  : never

/** The same with `rowMode: 'array'`. */
export type ExecuteArrayResult<S extends string> = S extends unknown
  ? Verb<S> extends `${Reads}${string}`
    ? RowArray[]
    : Verb<S> extends `${Writes}${string}`
      ? WriteResultArray
      : RowArray[] | WriteResultArray
  : never

/** How a single statement is run. */
export interface ExecuteOptions {
  /** Rows as objects by column name, or as arrays in the order of the columns. @default 'object' */
  rowMode?: RowMode
  /** How integers are read. @default the worker's int64 */
  int64?: Int64Mode
  /** What it sees, if it reads. Means nothing inside a transaction, which sees itself. @default the worker's consistency */
  consistency?: Consistency
  /** Gives the statement up: one that waits never runs; a long read stops; a write that runs may be committed. */
  signal?: AbortSignal
}

/** One statement of a batch. */
export interface BatchStatement extends Pick<ExecuteOptions, 'rowMode' | 'int64'> {
  readonly sql: string
  readonly params?: Params
}

const executeChecks: OptionChecks<ExecuteOptions> = {
  rowMode: {
    expected: "'object' or 'array'",
    accepts: (value) => value === 'object' || value === 'array',
  },
  ...readChecks,
  signal: { expected: 'an AbortSignal', accepts: (value) => value instanceof AbortSignal },
}

type WantsRows = { readonly returning: NonNullable<ReturningOption['returning']> }

/** What a write with `returning` resolves to. */
export type ReturningResult = WriteResult & { readonly rows: Row[] }

/** What a worker and a transaction have in common: statements in, tokens out, in order. */
export abstract class Connection {
  readonly #engine: Engine
  readonly #laneNow: () => Lane

  /** `laneNow` tells where statements go at the time of a call, or throws why they can go nowhere. */
  protected constructor(engine: Engine, laneNow: () => Lane) {
    this.#engine = engine
    this.#laneNow = laneNow
  }

  /**
   * Queues one statement. Writes run in the order of these calls; a read sees the writes before it.
   *
   * Resolves to its rows (objects by column name) for a statement that reads, otherwise to a {@link WriteResult}, whose
   * `rows` are those of a RETURNING clause. For a statement that reads, its row's type may be named:
   * `execute<{ id: number }>('SELECT ...')`. A statement with RETURNING is all or nothing, also with OR FAIL.
   *
   * Rejects with {@link StatementError} when SQLite refuses it, {@link UsageError} for parameters that do not fit and
   * for BEGIN, COMMIT and the like, {@link AbortedError} through its signal, {@link QueueLimitError} when the queue's
   * limits say so, {@link ClosedError} after close.
   */
  execute<const S extends string>(
    sql: S,
    params: Params | undefined,
    options: ExecuteOptions & { rowMode: 'array' },
  ): Token<ExecuteArrayResult<S>>
  execute<const S extends string>(sql: S, params?: Params, options?: ExecuteOptions): Token<ExecuteResult<S>>
  execute<TRow extends object>(sql: string, params?: Params, options?: ExecuteOptions): Token<TRow[]>
  execute(sql: string, params?: Params, options?: ExecuteOptions): Token<unknown> {
    return this.#submit(() => this.#statement(sql, params, options), options)
  }

  /** The outcome of a token: the same as awaiting it. */
  async fetchResults<T>(token: Token<T>): Promise<T> {
    if (token instanceof Token) return token
    throw new UsageError('ERR_INVALID_ARGUMENT', `Expected a token of this package, got ${typeof token}`)
  }

  /** {@link execute} and {@link fetchResults} in one call. */
  executeAndFetch<const S extends string>(sql: S, params?: Params): Promise<ExecuteResult<S>>
  executeAndFetch<TRow extends object>(sql: string, params?: Params): Promise<TRow[]>
  executeAndFetch(sql: string, params?: Params): Promise<unknown> {
    return this.fetchResults(this.execute(sql, params))
  }

  /**
   * Queues several statements that are committed all or nothing, in one message: much cheaper than a transaction where
   * no statement depends on the outcome of another. Resolves to their outcomes, each as {@link execute} would give it.
   */
  batch(
    statements: readonly BatchStatement[],
    options: Pick<ExecuteOptions, 'signal'> = {},
  ): Token<(Row[] | RowArray[] | WriteResult | WriteResultArray)[]> {
    return this.#submit(() => {
      if (!Array.isArray(statements) || statements.some((one) => typeof one !== 'object' || one === null))
        throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected a list of statements, each { sql, params }')
      checkOptions(options, { signal: executeChecks.signal })
      const payload = statements.map(({ sql, params, ...read }) => {
        const { what: text, ...rest } = this.#statement(sql, params, read)
        return { sql: text, ...rest }
      })
      return { what: Control.batch, payload }
    }, options)
  }

  /**
   * Runs a script of several statements separated by `;`, all or nothing. Rows are not returned, parameters not taken.
   * Rejects with {@link UsageError} when it begins or ends a transaction itself; nothing has run then.
   */
  executeScript(sql: string): Token<void> {
    return this.#submit(() => {
      if (typeof sql !== 'string')
        throw new UsageError('ERR_INVALID_ARGUMENT', `Expected SQL text, got ${typeof sql}`)
      if (sql.includes('\0') || !sql.isWellFormed())
        throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected a script without NUL and half surrogate pairs')
      const control = findTransactionControl(sql)
      if (control) {
        throw new UsageError(
          'ERR_TRANSACTION_CONTROL',
          `Expected a script without transaction control, got ${control.keyword} in line ${control.line}`,
        )
      }
      return { what: Control.script, payload: sql }
    })
  }

  /**
   * Reads a result row by row, with no more than a few thousand rows in memory: the thread waits for the consumer. Runs
   * on a connection of its own and sees the database as it was when the first row was asked for. Leaving the loop ends
   * it. Inside a transaction, on `':memory:'` and with ATTACH or temporary tables the rows are read at once instead.
   *
   * Its iterator rejects as {@link execute} does, and with {@link StreamError} when no row was taken for
   * `maxStreamIdleMs` while there were more to read.
   */
  stream<TRow extends object = Row>(
    sql: string,
    params?: Params,
    options: ExecuteOptions = {},
  ): AsyncIterableIterator<TRow> {
    let lane: Lane | undefined
    try {
      lane = this.#laneNow()
      const init = this.#statement(sql, params, options)
      if (lane === this.#engine.root && this.#engine.mayStream(sql))
        return streamRows<TRow>(this.#engine, init, options)
      return rowsOf(this.#engine.submit<TRow[]>(lane, init, options))
    } catch (error) {
      return rowsOf(this.#engine.refuse<TRow[]>(error, lane))
    }
  }

  /**
   * Functions of a module, called in the thread of the writer with the connection and then their arguments: many
   * statements without a message for each. Each call is a transaction of its own, or a savepoint inside one. They must
   * be synchronous; arguments and results are cloned. Reads go on in other threads, which do not see a temporary table
   * or an attached database of a procedure: read those with `consistency: 'writer'`.
   *
   * Calls reject with {@link ProcedureError} when the function throws.
   *
   * @example
   * const { transfer } = worker.procedures<typeof import('./procedures.js')>(new URL('./procedures.js', import.meta.url))
   * await transfer('alice', 'bob', 5) // export function transfer(db, from, to, amount) { ... }
   */
  procedures<T extends object>(file: URL): Procedures<T> {
    if (!(file instanceof URL))
      throw new UsageError('ERR_INVALID_ARGUMENT', `Expected the URL of a module, got ${typeof file}`)
    this.#engine.load(file.href)
    return proceduresOf<T>((name, args) =>
      this.#submit(() => ({
        what: Control.call,
        payload: { file: file.href, name, args: cloneArguments(name, args) },
      })),
    )
  }

  /**
   * Inserts a row, or several rows of the same columns all or nothing. `onConflict` says what becomes of a row that a
   * unique key refuses; `returning` gives the rows as they are stored.
   */
  insert<T extends object & Storable<T>>(
    table: string,
    rows: OneOrMore<T>,
    options: InsertOptions & WantsRows,
  ): Token<ReturningResult>
  insert<T extends object & Storable<T>>(
    table: string,
    rows: OneOrMore<T>,
    options?: InsertOptions,
  ): Token<WriteResult>
  insert(table: string, rows: InputRow | readonly InputRow[], options?: InsertOptions): Token<WriteResult> {
    return this.#submit(() => this.#crud(table, insertStatement(table, rows, options, this.#dates)))
  }

  /** Sets columns of the rows that meet the conditions. Empty conditions need `{ all: true }`. */
  update<T extends object & Storable<T>>(
    table: string,
    set: T,
    conditions: Conditions,
    options: ChangeOptions & WantsRows,
  ): Token<ReturningResult>
  update<T extends object & Storable<T>>(
    table: string,
    set: T,
    conditions: Conditions,
    options?: ChangeOptions,
  ): Token<WriteResult>
  update(table: string, set: InputRow, conditions: Conditions, options?: ChangeOptions): Token<WriteResult> {
    return this.#submit(() =>
      this.#crud(table, updateStatement(table, { set, conditions }, options, this.#dates)),
    )
  }

  /** Deletes the rows that meet the conditions. Empty conditions need `{ all: true }`. */
  delete(table: string, conditions: Conditions, options: ChangeOptions & WantsRows): Token<ReturningResult>
  delete(table: string, conditions: Conditions, options?: ChangeOptions): Token<WriteResult>
  delete(table: string, conditions: Conditions, options?: ChangeOptions): Token<WriteResult> {
    return this.#submit(() => this.#crud(table, deleteStatement(table, conditions, options, this.#dates)))
  }

  /**
   * Reads rows of one table. Resolves to objects by column name, or arrays with `rowMode: 'array'`, in no set order
   * without `orderBy`.
   */
  select<TRow extends object = Row>(
    table: string,
    options?: SelectOptions,
    execute?: ExecuteOptions,
  ): Token<TRow[]> {
    return this.#submit(() => {
      const { sql, params } = selectStatement(table, options, this.#dates)
      return { ...this.#statement(sql, undefined, execute), params, table }
    }, execute)
  }

  get #dates(): DateFormat {
    return this.#engine.options.dates
  }

  #crud(table: string, { sql, params }: Statement): OperationInit {
    return { what: sql, params, table }
  }

  #statement(sql: string, params: Params | undefined, options?: ExecuteOptions): StatementInit {
    if (typeof sql !== 'string')
      throw new UsageError('ERR_INVALID_ARGUMENT', `Expected SQL text, got ${typeof sql}`)
    if (options) checkOptions(options, executeChecks)
    return {
      what: sql,
      params: toStoredParams(params, this.#dates),
      rowMode: options?.rowMode,
      int64: options?.int64,
    }
  }

  #submit<T>(build: () => OperationInit, options?: SubmitOptions): Token<T> {
    let lane: Lane | undefined
    try {
      lane = this.#laneNow()
      return this.#engine.submit(lane, build(), options)
    } catch (error) {
      return this.#engine.refuse(error, lane)
    }
  }
}

interface StatementInit extends OperationInit {
  readonly what: string
  readonly params: WireParams
  readonly rowMode: RowMode | undefined
  readonly int64: Int64Mode | undefined
}

/** The rows of a statement that is read at once, RETURNING included. */
async function* rowsOf<TRow>(
  token: Token<TRow[] | { readonly rows?: TRow[] }>,
): AsyncGenerator<TRow, void, void> {
  const result = await token
  yield* Array.isArray(result) ? result : (result.rows ?? [])
}

function cloneArguments(name: string, args: readonly unknown[]): unknown[] {
  try {
    return structuredClone([...args])
  } catch (cause) {
    const error = new UsageError('ERR_VALUE', `Expected arguments of procedure ${name} that can be cloned`)
    throw Object.assign(error, { cause })
  }
}
