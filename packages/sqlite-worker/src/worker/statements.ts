import type { Database, Statement } from 'better-sqlite3'
import { firstKeyword } from '../first-keyword.ts'
import type { Int64Mode, StoredValue } from '../protocol.ts'
import { WorkerFailure } from './failure.ts'
import { Prepared } from './prepared.ts'

const TRANSACTION_CONTROL = new Set(['BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE'])
const READS = new Set(['SELECT', 'VALUES', 'WITH', 'EXPLAIN'])
const CHANGES = new Set(['INSERT', 'UPDATE', 'DELETE', 'REPLACE', 'WITH'])
const READ_TEXT = /^\s*(?:select|with|values)/i
/** Functions that tell of the statement before, which in a group may be another caller's, or one that was replayed. */
export const LOOKS_BACK: RegExp = /\b(?:last_insert_rowid|(?:total_)?changes)\s*\(/i

/** The statements that the other thread named by id; each is prepared when it first runs. */
export class Statements {
  readonly #db: Database
  readonly #defined = new Map<number, Definition>()
  readonly #prepared = new Map<number, Prepared>()

  constructor(db: Database) {
    this.#db = db
  }

  define(triples: readonly (number | string)[]): void {
    for (let i = 0; i < triples.length; i += 3) {
      this.#defined.set(triples[i] as number, {
        sql: triples[i + 1] as string,
        int64: triples[i + 2] as Int64Mode,
      })
    }
  }

  forget(ids: readonly number[]): void {
    for (const id of ids) {
      this.#defined.delete(id)
      this.#prepared.delete(id)
    }
  }

  /** @throws {WorkerFailure | SqliteError} when the statement cannot be prepared; the next call tries again. */
  get(id: number): Prepared {
    const known = this.#prepared.get(id)
    if (known) return known
    const definition = this.#defined.get(id)
    if (!definition) throw new Error(`Statement ${id} was not defined`)
    const prepared = this.#prepare(definition)
    this.#prepared.set(id, prepared)
    this.#defined.delete(id)
    return prepared
  }

  /** Whether a statement may take long: it did the last time, or has not run yet and reads. */
  mayBeSlow(id: number): boolean {
    const prepared = this.#prepared.get(id)
    return prepared
      ? prepared.isSlow && prepared.kind !== 'group'
      : READ_TEXT.test(this.#defined.get(id)?.sql ?? '')
  }

  #prepare({ sql, int64 }: Definition): Prepared {
    const keyword = firstKeyword(sql)
    if (TRANSACTION_CONTROL.has(keyword)) {
      throw new WorkerFailure(
        'transaction-control',
        `${keyword} would begin or end a transaction for every caller; use worker.transaction(async (tx) => ...)`,
      )
    }
    const statement = this.#compile(sql)
    const isChange = CHANGES.has(keyword) && !statement.readonly
    const kind = isChange && !LOOKS_BACK.test(sql) ? 'group' : isRead(keyword, statement) ? 'read' : 'single'
    return new Prepared(sql, statement, { kind, isChange, int64 })
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

interface Definition {
  readonly sql: string
  readonly int64: Int64Mode
}

// `readonly` alone does not tell: it is true for ATTACH and some PRAGMAs as well
function isRead(keyword: string, statement: Statement): boolean {
  return statement.readonly && statement.reader && READS.has(keyword)
}
