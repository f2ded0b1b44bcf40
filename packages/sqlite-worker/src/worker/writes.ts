import type { Database, Statement } from 'better-sqlite3'
import type { StoredValue } from '../protocol.ts'
import type { DetailedWrite, Outcomes } from './outcomes.ts'
import type { Prepared, SingleParams } from './prepared.ts'
import type { ReadResult, Reads } from './reads.ts'

/** Runs statements that write, and notes what they did; throws what SQLite throws. */
export class Writes {
  readonly #db: Database
  readonly #reads: Reads
  readonly #lastRowid: Statement<[], bigint>
  readonly #savepoint: Statement
  readonly #release: Statement

  constructor(db: Database, reads: Reads) {
    this.#db = db
    this.#reads = reads
    this.#lastRowid = db.prepare<[], bigint>('SELECT last_insert_rowid()').pluck().safeIntegers()
    this.#savepoint = db.prepare('SAVEPOINT outrider_step')
    this.#release = db.prepare('RELEASE outrider_step')
  }

  /** A plain write is two numbers, nearly always. */
  run(prepared: Prepared, params: SingleParams, index: number, outcomes: Outcomes): void {
    const { changes, lastInsertRowid } = prepared.run(params)
    if (changes === 0 || !prepared.inserts) outcomes.write(index, changes, 0)
    else if (Number.isSafeInteger(lastInsertRowid)) outcomes.write(index, changes, Number(lastInsertRowid))
    else outcomes.detailedWrite(index, this.#written(prepared, changes, undefined))
  }

  runDetailed(prepared: Prepared, params: SingleParams): DetailedWrite {
    return this.#written(prepared, prepared.run(params).changes, undefined)
  }

  /** Runs one statement for each set of parameters, all or nothing; rows that it returns are joined. */
  runSets(prepared: Prepared, sets: readonly StoredValue[][]): DetailedWrite {
    return this.atomically(() => {
      let changes = 0
      let returned: ReadResult | undefined
      for (const set of sets) {
        if (prepared.statement.reader) {
          const result = this.#reads.readWhole(prepared, set)
          changes += result.rows.count
          for (const value of result.rows.values) returned?.rows.values.push(value)
          if (returned) returned.rows.count += result.rows.count
          else returned = result
        } else changes += prepared.run(set).changes
      }
      return this.#written(prepared, changes, returned)
    })
  }

  /** A statement with RETURNING is all or nothing: its rows may prove unreadable once it has run. */
  runReturning(prepared: Prepared, params: SingleParams): DetailedWrite {
    return this.atomically(() => {
      const returned = this.#reads.readWhole(prepared, params)
      return this.#written(prepared, returned.rows.count, returned)
    })
  }

  #written(prepared: Prepared, changes: number, returned: ReadResult | undefined): DetailedWrite {
    if (changes === 0 || !prepared.inserts) return { changes, lastInsertRowid: 0, returned }
    const rowid = this.#lastRowid.get() ?? 0n
    const narrowed = Number(rowid)
    return { changes, lastInsertRowid: Number.isSafeInteger(narrowed) ? narrowed : rowid, returned }
  }

  /** All or nothing for what is more than one step, also inside a group. */
  atomically<T>(steps: () => T): T {
    this.#savepoint.run()
    try {
      const result = steps()
      this.#release.run()
      return result
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK TO outrider_step; RELEASE outrider_step')
      throw error
    }
  }
}
