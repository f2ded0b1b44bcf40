import type { Statement } from 'better-sqlite3'
import { verbOf } from '../first-keyword.ts'
import type { Int64Mode, StoredValue } from '../protocol.ts'

/**
 * How a statement may run: `read` changes nothing; `group` may share a transaction with its neighbours; `single`
 * (DDL, PRAGMA, VACUUM, ATTACH ...) runs alone and may change the schema.
 */
export type Kind = 'read' | 'group' | 'single'

export type SingleParams = StoredValue[] | Record<string, StoredValue> | undefined

export interface PreparedTraits {
  readonly kind: Kind
  readonly isChange: boolean
  readonly int64: Int64Mode
}

/** A statement ready to run, and what its earlier runs told about it. */
export class Prepared {
  readonly statement: Statement<unknown[], StoredValue[]>
  readonly kind: Kind
  readonly int64: Int64Mode
  /** Whether it changes rows, and so must not run twice. */
  readonly isChange: boolean
  /** Whether it may insert rows; the connection's last rowid means nothing to any other statement. */
  readonly inserts: boolean
  /** Whether its rows may come in another order, or be others, when it runs again in the same snapshot. */
  readonly isRandom: boolean
  /** Whether its columns follow the schema, as those of `SELECT *` do. */
  readonly #hasStar: boolean
  #columns: readonly string[] | undefined
  #columnsVersion: number | undefined
  #columnsSent: readonly string[] | undefined
  /** Whether its last result was large; undefined before the first. */
  isLarge: boolean | undefined
  /** Whether it may take long: its last run did, or there was none. */
  isSlow = true

  constructor(sql: string, statement: Prepared['statement'], traits: PreparedTraits) {
    const { kind, isChange, int64 } = traits
    this.statement = statement
    this.kind = kind
    this.isChange = isChange
    this.int64 = int64
    this.inserts = ['INSERT', 'REPLACE'].includes(verbOf(sql))
    this.isRandom = /\brandom(?:blob)?\b/i.test(sql)
    this.#hasStar = sql.replaceAll(/\(\s*\*\s*\)/g, '').includes('*')
    if (!statement.reader) return
    statement.raw(true)
    if (int64 === 'bigint') statement.safeIntegers(true)
  }

  /**
   * The names of its columns, the same array as long as they stay the same. They are asked for after a run; where the
   * schema's version is known to be that of the run, only once for it.
   */
  columns(schemaVersion: number | undefined): readonly string[] {
    const known = this.#columns
    if (known && (!this.#hasStar || (schemaVersion !== undefined && schemaVersion === this.#columnsVersion)))
      return known
    const names = this.statement.columns().map((column) => column.name)
    this.#columnsVersion = schemaVersion
    if (!known || known.length !== names.length || names.some((name, i) => name !== known[i]))
      this.#columns = names
    return this.#columns ?? names
  }

  /** The columns for a message that is sent now: null when they are those it sent last. */
  columnsToSend(columns: readonly string[]): readonly string[] | null {
    if (columns === this.#columnsSent) return null
    this.#columnsSent = columns
    return columns
  }

  run(params: SingleParams): ReturnType<Prepared['statement']['run']> {
    return params === undefined ? this.statement.run() : this.statement.run(params)
  }

  all(params: SingleParams): StoredValue[][] {
    return params === undefined ? this.statement.all() : this.statement.all(params)
  }

  iterate(params: SingleParams): IterableIterator<StoredValue[]> {
    return params === undefined ? this.statement.iterate() : this.statement.iterate(params)
  }

  /** Runs a function during which integers are read without loss, as bigints. */
  exactly<T>(read: () => T): T {
    if (this.int64 === 'bigint') return read()
    this.statement.safeIntegers(true)
    try {
      return read()
    } finally {
      this.statement.safeIntegers(false)
    }
  }
}
