import type { Database, Statement } from 'better-sqlite3'
import type { StoredValue } from '../protocol.ts'
import { WorkerFailure } from './failure.ts'

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
}

const FIRST_KEYWORD = /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?(?:\*\/|$))*([a-z]+)/i
const TRANSACTION_CONTROL = new Set(['BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE'])
const READS = new Set(['SELECT', 'VALUES', 'WITH', 'EXPLAIN'])
const GROUPABLE = new Set(['INSERT', 'UPDATE', 'DELETE', 'REPLACE', 'WITH'])
const INSERTS = /\b(?:insert|replace)\b/i
/** Functions that tell of the statement before, which in a group may be another caller's, or one that was replayed. */
const LOOKS_BACK = /\b(?:last_insert_rowid|changes)\s*\(/i

/** The statements that the other thread named by id; each is prepared when it first runs. */
export class Statements {
  readonly #db: Database
  readonly #byId = new Map<number, string | Prepared>()

  constructor(db: Database) {
    this.#db = db
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
    if (known === undefined) throw new Error(`Statement ${id} was not defined`)
    if (typeof known === 'object') return known
    const prepared = this.#prepare(known)
    this.#byId.set(id, prepared)
    return prepared
  }

  #prepare(sql: string): Prepared {
    const keyword = FIRST_KEYWORD.exec(sql)?.[1]?.toUpperCase() ?? ''
    if (TRANSACTION_CONTROL.has(keyword)) {
      throw new WorkerFailure(
        'transaction-control',
        `${keyword} would begin or end a transaction for every caller; use worker.transaction(async (tx) => ...)`,
      )
    }
    const statement = this.#compile(sql)
    if (statement.reader) statement.raw(true)
    return { statement, kind: kindOf(keyword, sql, statement), inserts: INSERTS.test(sql) }
  }

  #compile(sql: string): Prepared['statement'] {
    try {
      return this.#db.prepare<unknown[], StoredValue[]>(sql)
    } catch (error) {
      // better-sqlite3's word for a text without a statement, or with several
      throw error instanceof RangeError ? new WorkerFailure('argument', error.message) : error
    }
  }
}

// `readonly` alone does not tell: it is true for ATTACH and some PRAGMAs as well
function kindOf(keyword: string, sql: string, statement: Statement): Kind {
  if (statement.readonly && statement.reader && READS.has(keyword)) return 'read'
  return GROUPABLE.has(keyword) && !statement.readonly && !LOOKS_BACK.test(sql) ? 'group' : 'single'
}
