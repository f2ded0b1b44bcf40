import type { Conditions } from './crud/conditions.ts'
import {
  deleteStatement,
  insertStatement,
  selectStatement,
  updateStatement,
  type AllOption,
  type InputRow,
  type SelectOptions,
  type Statement,
  type Storable,
} from './crud/statements.ts'
import type { Engine } from './engine/engine.ts'
import type { Lane } from './engine/lane.ts'
import type { Row, WriteResult } from './engine/results.ts'
import { Token } from './token.ts'
import { toStoredParams, type Params } from './values.ts'
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
   * Queues one statement. Statements run in the order of these calls.
   *
   * Resolves to its rows (objects by column name) for a statement that reads, otherwise to a {@link WriteResult}, whose
   * `rows` are those of a RETURNING clause. For a statement that reads, its row's type may be named:
   * `execute<{ id: number }>('SELECT ...')`. A statement with RETURNING is all or nothing, also with OR FAIL.
   *
   * Rejects with {@link StatementError} when SQLite refuses it, {@link UsageError} for parameters that do not fit and
   * for BEGIN, COMMIT and the like, {@link ClosedError} after close.
   */
  execute<const S extends string>(sql: S, params?: Params): Token<ExecuteResult<S>>
  execute<TRow extends object>(sql: string, params?: Params): Token<TRow[]>
  execute(sql: string, params?: Params): Token<unknown> {
    return this.#submit(() => {
      if (typeof sql !== 'string')
        throw new UsageError('ERR_INVALID_ARGUMENT', `Expected SQL text, got ${typeof sql}`)
      return { sql, params: toStoredParams(params) }
    })
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

  /** Inserts a row, or several rows of the same columns all or nothing. */
  insert<T extends Storable<T>>(table: string, rows: T | readonly T[]): Token<WriteResult> {
    return this.#submit(() => insertStatement(table, rows as InputRow | readonly InputRow[]))
  }

  /** Sets columns of the rows that meet the conditions. Empty conditions need `{ all: true }`. */
  update<T extends Storable<T>>(
    table: string,
    set: T,
    conditions: Conditions,
    options: AllOption = {},
  ): Token<WriteResult> {
    return this.#submit(() => updateStatement(table, set as InputRow, conditions, options))
  }

  /** Deletes the rows that meet the conditions. Empty conditions need `{ all: true }`. */
  delete(table: string, conditions: Conditions, options: AllOption = {}): Token<WriteResult> {
    return this.#submit(() => deleteStatement(table, conditions, options))
  }

  /** Reads rows of one table. Resolves to objects by column name, in no set order without `orderBy`. */
  select<TRow extends object = Row>(table: string, options: SelectOptions = {}): Token<TRow[]> {
    return this.#submit(() => selectStatement(table, options))
  }

  #submit<T>(build: () => Statement): Token<T> {
    let lane: Lane | undefined
    try {
      lane = this.#laneNow()
      const { sql, params } = build()
      return this.#engine.submit(lane, sql, params)
    } catch (error) {
      return this.#engine.refuse(error, lane)
    }
  }
}
