import type { Database, RunResult, Statement } from 'better-sqlite3'
import type { Batch } from './batch.ts'
import { plainInsertOf, type PlainInsert } from './plain-insert.ts'
import type { Prepared } from './prepared.ts'
import type { Schema } from './schema.ts'
import { LOOKS_BACK } from './statements.ts'

/** How many operations one statement runs. More of them gain little. */
export const MERGED_ROWS = 8

const ORDINARY_TABLE = /^create\s+table\b/i
/** Clauses by which an insert may do something else than to insert or fail, or by which its rowid is no number. */
const SPECIAL = /\bconflict\b|\bwithout\b/i

/**
 * Runs inserts of one row each, of the same text and by different callers, as one statement of several rows, which takes
 * about half the time.
 *
 * Only where what became of each follows from what became of all: SQLite gives the rowids, so they follow each other,
 * and nothing in the schema makes an insert do something else than to insert or fail. A statement that failed has
 * changed nothing, so its operations can be run one by one.
 */
export class MergedInserts {
  readonly #db: Database
  readonly #schema: Schema
  readonly #known = new WeakMap<Prepared, Known>()

  constructor(db: Database, schema: Schema) {
    this.#db = db
    this.#schema = schema
  }

  /**
   * Runs the {@link MERGED_ROWS} operations from an index on, all of this statement, inside a transaction. Returns false
   * when they are to run one by one. Should it not know what became of each, it rolls the transaction back, and leaves
   * this statement alone from then on.
   */
  run(batch: Batch, from: number, prepared: Prepared): boolean {
    const known = this.#knownOf(prepared)
    const last = known.insert?.run(batch.paramsOfAll(from, from + MERGED_ROWS))
    if (last === undefined) return false
    if (last === 'unknown') {
      known.insert = undefined
      this.#db.exec('ROLLBACK')
      return false
    }
    for (let i = 0; i < MERGED_ROWS; i++) batch.outcomes.write(from + i, 1, last - MERGED_ROWS + 1 + i)
    return true
  }

  #knownOf(prepared: Prepared): Known {
    const { generation } = this.#schema
    const known = this.#known.get(prepared)
    if (known?.generation === generation) return known
    const insert = plainInsertOf(prepared.statement.source)
    const isMergeable = insert && !this.#schema.hasSeveralDatabases && this.#isMergeable(insert)
    const fresh = { generation, insert: isMergeable ? new MergedInsert(this.#db, insert) : undefined }
    this.#known.set(prepared, fresh)
    return fresh
  }

  #isMergeable({ table, assigned }: PlainInsert): boolean {
    const schema = this.#db
      .prepare<[string], { type: string; sql: string }>(
        `SELECT type, coalesce(sql, '') AS sql FROM sqlite_schema WHERE tbl_name = ? COLLATE NOCASE`,
      )
      .all(table)
    if (!schema.some(({ type, sql }) => type === 'table' && ORDINARY_TABLE.test(sql))) return false
    if (schema.some(({ type, sql }) => type === 'trigger' || SPECIAL.test(sql) || LOOKS_BACK.test(sql)))
      return false
    const keys = this.#db
      .prepare<[string], string>(
        `SELECT lower(name) FROM pragma_table_info(?) WHERE pk > 0 AND lower(type) = 'integer'`,
      )
      .pluck()
      .all(table)
    return !['rowid', 'oid', '_rowid_', ...keys].some((name) => assigned.includes(name))
  }
}

interface Known {
  /** Of the schema that it holds for. */
  readonly generation: number
  insert: MergedInsert | undefined
}

class MergedInsert {
  readonly #insert: Statement
  readonly #greatestRowid: Statement<[], number | null>
  readonly #parameterCount: number
  /** The rowid of its last row; those that follow it directly were counted up from it. */
  #last = 0

  constructor(db: Database, insert: PlainInsert) {
    this.#insert = db.prepare(insert.forRows(MERGED_ROWS))
    this.#greatestRowid = db.prepare<[], number | null>(insert.greatestRowid).pluck()
    this.#parameterCount = MERGED_ROWS * insert.assigned.length
  }

  /** Returns the last rowid, or undefined with nothing changed. */
  run(params: unknown[]): number | 'unknown' | undefined {
    if (params.length !== this.#parameterCount) return undefined
    const result = this.#attempt(params)
    if (!result) return undefined
    const last = Number(result.lastInsertRowid)
    // with the greatest possible rowid in use, SQLite takes any that is free
    const isCountedUp = last === this.#last + MERGED_ROWS || last === this.#greatestRowid.get()
    if (!isCountedUp || !Number.isSafeInteger(last) || result.changes !== MERGED_ROWS) return 'unknown'
    this.#last = last
    return last
  }

  #attempt(params: unknown[]): RunResult | undefined {
    try {
      return this.#insert.run(params)
    } catch {
      return undefined // each says for itself why
    }
  }
}
