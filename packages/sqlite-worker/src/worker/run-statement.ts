import type { Database, Statement } from 'better-sqlite3'
import type { RowsPayload, StoredValue, WireParams, WritePayload } from '../protocol.ts'
import { mayHoldUnsafeIntegers, narrowIntegers } from './integers.ts'
import type { Outcomes } from './outcomes.ts'
import type { Prepared } from './statements.ts'

type SingleParams = StoredValue[] | Record<string, StoredValue> | undefined

/** Runs one operation on the connection and notes its outcome; throws what SQLite throws. */
export class StatementRunner {
  readonly #db: Database
  readonly #lastRowid: Statement<[], bigint>

  constructor(db: Database) {
    this.#db = db
    this.#lastRowid = db.prepare<[], bigint>('SELECT last_insert_rowid()').pluck().safeIntegers()
  }

  run(prepared: Prepared, params: WireParams, index: number, outcomes: Outcomes): void {
    if (isManySets(params)) {
      const sets = params
      this.#atomically(() => {
        outcomes.detailedWrite(index, this.#runSets(prepared, sets))
      })
    } else if (!prepared.statement.reader) {
      const { changes, lastInsertRowid } = bind(params, prepared.statement, 'run')
      if (changes === 0 || !prepared.inserts) outcomes.write(index, changes, 0)
      else if (Number.isSafeInteger(lastInsertRowid)) outcomes.write(index, changes, Number(lastInsertRowid))
      else outcomes.detailedWrite(index, this.#written(prepared, changes, undefined))
    } else if (prepared.kind === 'group') {
      this.#atomically(() => {
        outcomes.detailedWrite(index, this.#runReturning(prepared, params))
      })
    } else {
      outcomes.rows(index, this.#read(prepared, params))
    }
  }

  #runSets(prepared: Prepared, sets: StoredValue[][]): WritePayload {
    let changes = 0
    for (const set of sets) changes += prepared.statement.run(set).changes
    return this.#written(prepared, changes, undefined)
  }

  #runReturning(prepared: Prepared, params: SingleParams): WritePayload {
    const returned = this.#readExact(prepared, params)
    return this.#written(prepared, returned.rows.length, returned)
  }

  #written(prepared: Prepared, changes: number, returned: RowsPayload | undefined): WritePayload {
    if (changes === 0 || !prepared.inserts) return { changes, lastInsertRowid: 0, returned }
    const rowid = this.#lastRowid.get() ?? 0n
    const narrowed = Number(rowid)
    return { changes, lastInsertRowid: Number.isSafeInteger(narrowed) ? narrowed : rowid, returned }
  }

  /** Reads with plain numbers, which is fast, and again exactly in the rare case that digits may be missing. */
  #read(prepared: Prepared, params: SingleParams): RowsPayload {
    const rows = bind(params, prepared.statement, 'all')
    if (mayHoldUnsafeIntegers(rows)) return this.#readExact(prepared, params)
    return { columns: columnsOf(prepared), rows }
  }

  #readExact(prepared: Prepared, params: SingleParams): RowsPayload {
    prepared.statement.safeIntegers(true)
    try {
      const rows = bind(params, prepared.statement, 'all')
      const columns = columnsOf(prepared)
      return { columns, rows: narrowIntegers(rows, columns) }
    } finally {
      prepared.statement.safeIntegers(false)
    }
  }

  /** All or nothing for what is more than one step, also inside a group. */
  #atomically(step: () => void): void {
    this.#db.exec('SAVEPOINT outrider_step')
    try {
      step()
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK TO outrider_step; RELEASE outrider_step')
      throw error
    }
    this.#db.exec('RELEASE outrider_step')
  }
}

// asked for after every run: `SELECT *` follows the schema, which another process may change
function columnsOf({ statement }: Prepared): string[] {
  return statement.columns().map((column) => column.name)
}

function isManySets(params: WireParams): params is StoredValue[][] {
  return Array.isArray(params) && Array.isArray(params[0])
}

function bind<M extends 'run' | 'all'>(
  params: SingleParams,
  statement: Prepared['statement'],
  method: M,
): ReturnType<Prepared['statement'][M]>
function bind(params: SingleParams, statement: Prepared['statement'], method: 'run' | 'all') {
  return params === undefined ? statement[method]() : statement[method](params)
}
