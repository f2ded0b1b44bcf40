import type { Database, Statement } from 'better-sqlite3'
import { Control } from '../protocol.ts'

/** Steps of a transaction that are one statement each; ROLLBACK is not, since it must never fail. */
export type SqlControl =
  | typeof Control.beginDeferred
  | typeof Control.beginImmediate
  | typeof Control.beginExclusive
  | typeof Control.commit
  | typeof Control.savepoint
  | typeof Control.release
  | typeof Control.rollbackTo

/** Runs steps of transactions; each is compiled once. */
export class TransactionSteps {
  readonly #db: Database
  readonly #statements = new Map<string, Statement[]>()

  constructor(db: Database) {
    this.#db = db
  }

  /** @throws what SQLite throws. */
  run(code: SqlControl, depth: unknown): void {
    const sql = controlSql(code, depth)
    let statements = this.#statements.get(sql)
    if (!statements) {
      statements = sql.split(';').map((step) => this.#db.prepare(step))
      this.#statements.set(sql, statements)
    }
    for (const statement of statements) statement.run()
  }
}

/** The SQL of a step; savepoints are named by the depth of their transaction. */
function controlSql(code: SqlControl, depth: unknown): string {
  const savepoint = `outrider_${String(depth)}`
  switch (code) {
    case Control.beginDeferred:
      return 'BEGIN DEFERRED'
    case Control.beginImmediate:
      return 'BEGIN IMMEDIATE'
    case Control.beginExclusive:
      return 'BEGIN EXCLUSIVE'
    case Control.commit:
      return 'COMMIT'
    case Control.savepoint:
      return `SAVEPOINT ${savepoint}`
    case Control.release:
      return `RELEASE ${savepoint}`
    case Control.rollbackTo:
      return `ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`
  }
}
