import Database from 'better-sqlite3'
import { hasStatement, type Sql, type Step, type TransactionStep } from './program.ts'
import { normalize, type Outcome } from './run-on-worker.ts'

/**
 * What has to come of steps that run one after another on one connection: plain better-sqlite3, with the rules of
 * transactions that the worker promises on top.
 */
export class Model {
  readonly #db: Database.Database
  /** Why the open transaction is gone, by the code of the error that made SQLite end it. */
  #gone: string | undefined

  constructor(schema: readonly string[]) {
    this.#db = new Database(':memory:')
    for (const sql of schema) this.#db.exec(sql)
  }

  close(): void {
    this.#db.close()
  }

  /** A step outside of transactions. */
  run(step: Step): Outcome {
    if (step.kind === 'transaction') return this.#transaction(step)
    const result = this.#single(step, true)
    if (this.#db.inTransaction) throw new Error('the model has a transaction left open')
    return { result }
  }

  query(sql: string): unknown {
    return this.#db.prepare(sql).all()
  }

  /** Anything that is no transaction; `isRoot` outside of one. */
  #single(step: Step, isRoot: boolean): unknown {
    switch (step.kind) {
      case 'run':
      case 'outside':
      case 'read':
      case 'stream':
        return this.#statement(step.statement)
      case 'rows': {
        const sql = 'INSERT INTO t (a, n) VALUES (?, ?)'
        const all = this.#allOrNothing(isRoot, () =>
          step.rows.map(({ a, n }) => this.#do({ sql, params: [a, n] })),
        )
        return Array.isArray(all) ? summed(all as Written[]) : all
      }
      case 'batch':
        return this.#allOrNothing(isRoot, () => step.statements.map((statement) => this.#do(statement)))
      case 'script':
        return this.#allOrNothing(isRoot, () => void this.#db.exec(step.sql))
      default:
        throw new Error(`${step.kind} is no single call`)
    }
  }

  /** The outcome of a statement where it stands. */
  #statement(statement: Sql): unknown {
    return this.#guarded(() => this.#do(statement))
  }

  #do({ sql, params }: Sql): unknown {
    const prepared = this.#db.prepare<unknown[], object>(sql)
    if (prepared.reader) return prepared.all(...params)
    const { changes, lastInsertRowid } = prepared.run(...params)
    const isInsert = changes > 0 && sql.startsWith('INSERT')
    return normalize({ changes, lastInsertRowid: isInsert ? lastInsertRowid : 0 }, sql)
  }

  /** Gives the code of an error; inside a transaction that is gone, of the error that ended it. */
  #guarded(act: () => unknown): unknown {
    if (this.#gone !== undefined) return this.#gone
    const wasInside = this.#db.inTransaction
    try {
      return act()
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error
      if (wasInside && !this.#db.inTransaction) this.#gone = error.code
      return error.code
    }
  }

  #allOrNothing(isRoot: boolean, act: () => unknown): unknown {
    return this.#guarded(() => {
      this.#db.exec(isRoot ? 'BEGIN IMMEDIATE' : 'SAVEPOINT all_or_nothing')
      try {
        const result = act()
        this.#db.exec(isRoot ? 'COMMIT' : 'RELEASE all_or_nothing')
        return result
      } catch (error) {
        if (this.#db.inTransaction)
          this.#db.exec(isRoot ? 'ROLLBACK' : 'ROLLBACK TO all_or_nothing; RELEASE all_or_nothing')
        throw error
      }
    })
  }

  #transaction(step: TransactionStep): Outcome {
    this.#db.exec('BEGIN')
    const { steps, failure } = this.#steps(step)
    const result = failure ?? this.#guarded(() => (this.#db.exec('COMMIT'), 'committed'))
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
    this.#gone = undefined
    return { result, steps }
  }

  #nested(step: TransactionStep): Outcome {
    // one without a statement is none for SQLite
    if (!hasStatement(step)) {
      const { steps, failure } = this.#steps(step)
      return { result: failure ?? 'committed', steps }
    }
    this.#guarded(() => this.#db.exec('SAVEPOINT nested'))
    const { steps, failure } = this.#steps(step)
    const end = failure === undefined ? 'RELEASE nested' : 'ROLLBACK TO nested; RELEASE nested'
    const ended = this.#guarded(() => (this.#db.exec(end), 'committed'))
    return { result: failure ?? ended, steps }
  }

  /** The steps of a transaction, and why it is to be undone: it throws, or nobody awaited something that failed. */
  #steps({ steps, throws }: TransactionStep): { steps: Outcome[]; failure: string | undefined } {
    const outcomes: Outcome[] = []
    let unobserved: string | undefined
    for (const step of steps) {
      if (step.kind === 'pause' || step.kind === 'outside') continue
      if (step.kind === 'transaction') {
        outcomes.push(this.#nested(step))
        continue
      }
      const result = this.#single(step, false)
      if (step.kind === 'run' && !step.isAwaited && typeof result === 'string') unobserved ??= result
      outcomes.push({ result })
    }
    return { steps: outcomes, failure: throws ? 'thrown' : unobserved }
  }
}

interface Written {
  readonly changes: number
  readonly lastInsertRowid: number
}

/** What an insert of several rows did. */
function summed(all: readonly Written[]): Written {
  return {
    changes: all.reduce((sum, { changes }) => sum + changes, 0),
    lastInsertRowid: all.findLast(({ changes }) => changes > 0)?.lastInsertRowid ?? 0,
  }
}
