import type { Database, Statement } from 'better-sqlite3'

/** Whether writes may share a transaction, by what this connection last saw of the schema. */
export class Schema {
  readonly #db: Database
  readonly #readVersion: Statement<[], number>
  readonly #readDeferral: Statement<[], number>
  readonly #readDatabases: Statement<[], { name: string }>
  #version: number | undefined
  #deferred: boolean | undefined
  #generation = 0

  constructor(db: Database) {
    this.#db = db
    this.#readVersion = db.prepare<[], number>('PRAGMA schema_version').pluck()
    this.#readDeferral = db.prepare<[], number>('PRAGMA defer_foreign_keys').pluck()
    this.#readDatabases = db.prepare<[], { name: string }>('PRAGMA database_list')
  }

  /** Says that something may have changed the schema of this connection, or undone such a change. */
  touch(): void {
    this.#deferred = undefined
    this.#generation += 1
  }

  /** Changes whenever the schema may have. */
  get generation(): number {
    return this.#generation
  }

  /** Whether BEGIN locks more than one file: attached ones, and temporary tables, count. */
  get hasSeveralDatabases(): boolean {
    return this.#readDatabases.all().length > 1
  }

  /**
   * Whether a foreign key may be checked at COMMIT only. Then writes must not share a transaction: a child could
   * be accepted because of a parent that another caller's write brought into the group.
   * Errs towards true: any mention of DEFERRED in the schema counts.
   */
  hasDeferredKeys(): boolean {
    if (this.#readDeferral.get() === 1) return true
    const version = this.#readVersion.get()
    if (version !== this.#version) this.touch() // another process may have changed it
    this.#version = version
    this.#deferred ??= this.#readDatabases.all().some(({ name }) => {
      const schema = `"${name.replaceAll('"', '""')}".sqlite_schema`
      return (
        this.#db.prepare(`SELECT 1 FROM ${schema} WHERE sql LIKE '%deferred%' LIMIT 1`).get() !== undefined
      )
    })
    return this.#deferred
  }
}
