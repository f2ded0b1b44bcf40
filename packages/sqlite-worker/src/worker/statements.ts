import type { Database, Statement } from 'better-sqlite3'
import type { StoredValue } from '../protocol.ts'
import { WorkerFailure } from './failure.ts'
import type { Schema } from './schema.ts'

/**
 * How a statement may run: `read` changes nothing; `group` may share a transaction with its neighbours; `single`
 * (DDL, PRAGMA, VACUUM, ATTACH ...) runs alone and may change the schema.
 */
type Kind = 'read' | 'group' | 'single'

export interface Prepared {
  readonly statement: Statement<unknown[], StoredValue[]>
  readonly kind: Kind
  /** Whether it may insert rows; the connection's last rowid means nothing to any other statement. */
  readonly inserts: boolean
  columns: string[]
  /** The {@link Schema.epoch} at which `columns` was read. */
  epoch: number
}

const FIRST_KEYWORD = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?(?:\*\/|$))*([a-z]+)/i
const TRANSACTION_CONTROL = new Set(['BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE'])
const READS = new Set(['SELECT', 'VALUES', 'WITH', 'EXPLAIN'])
const INSERTS = new Set(['INSERT', 'REPLACE', 'WITH'])
const GROUPABLE = new Set(['INSERT', 'UPDATE', 'DELETE', 'REPLACE', 'WITH'])

/** The statements that the other thread named by id; each is prepared when it first runs. */
export class Statements {
  readonly #db: Database
  readonly #schema: Schema
  readonly #byId = new Map<number, string | Prepared>()

  constructor(db: Database, schema: Schema) {
    this.#db = db
    this.#schema = schema
  }

  define(pairs: readonly (number | string)[]): void {
    for (let i = 0; i < pairs.length; i += 2) this.#byId.set(pairs[i] as number, pairs[i + 1] as string)
  }

  forget(ids: readonly number[]): void {
    for (const id of ids) this.#byId.delete(id)
  }

  /** @throws {WorkerFailure | SqliteError} when the statement cannot be prepared; the next call tries again. */
  get(id: number): Prepared {
    const known = this.#byId.get(id)
    if (typeof known === 'object') return known
    const prepared = this.#prepare(known ?? '')
    this.#byId.set(id, prepared)
    return prepared
  }

  /** Column names of a statement that returns rows; `SELECT *` changes with the schema. */
  columns(prepared: Prepared): readonly string[] {
    if (prepared.epoch !== this.#schema.epoch) {
      prepared.columns = prepared.statement.columns().map((column) => column.name)
      prepared.epoch = this.#schema.epoch
    }
    return prepared.columns
  }

  #prepare(sql: string): Prepared {
    const keyword = FIRST_KEYWORD.exec(sql)?.[1]?.toUpperCase() ?? ''
    if (TRANSACTION_CONTROL.has(keyword)) {
      throw new WorkerFailure(
        'transaction-control',
        `${keyword} would begin or end a transaction for every caller; use worker.transaction(async (tx) => ...)`,
      )
    }
    const statement = this.#db.prepare<unknown[], StoredValue[]>(sql)
    if (statement.reader) statement.raw(true)
    return {
      statement,
      kind: kindOf(keyword, statement),
      inserts: INSERTS.has(keyword),
      columns: [],
      epoch: -1,
    }
  }
}

// `readonly` alone does not tell: it is true for ATTACH and some PRAGMAs as well
function kindOf(keyword: string, statement: Statement): Kind {
  if (statement.readonly && statement.reader && READS.has(keyword)) return 'read'
  return GROUPABLE.has(keyword) && !statement.readonly ? 'group' : 'single'
}
