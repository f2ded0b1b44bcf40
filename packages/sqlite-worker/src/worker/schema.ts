import type { Database, Statement } from 'better-sqlite3'

/**
 * What this connection last saw of the schema. `epoch` grows whenever it may have changed, through this
 * connection or another process.
 */
export class Schema {
  readonly #db: Database
  readonly #readVersion: Statement<[], number>
  #version: number | undefined
  #deferred: boolean | undefined
  epoch = 0

  constructor(db: Database) {
    this.#db = db
    this.#readVersion = db.prepare<[], number>('PRAGMA schema_version').pluck()
  }

  /** Looks whether the schema of the file changed since the last look; a file that cannot be read may have. */
  refresh(): void {
    const version = this.#currentVersion()
    if (version !== undefined && version === this.#version) return
    this.#version = version
    this.touch()
  }

  #currentVersion(): number | undefined {
    try {
      return this.#readVersion.get()
    } catch {
      return undefined // locked by another process: the operation that follows will say so
    }
  }

  /** Says that this connection ran something that may have changed the schema, also of temporary tables. */
  touch(): void {
    this.epoch += 1
    this.#deferred = undefined
  }

  /**
   * Whether a foreign key may be checked at COMMIT only. Then writes must not share a transaction: a child could
   * be accepted because of a parent that another caller's write brought into the group.
   * Errs towards true: any mention of DEFERRED in the schema counts.
   */
  hasDeferredKeys(): boolean {
    this.#deferred ??= this.#db
      .prepare<[], { name: string }>('PRAGMA database_list')
      .all()
      .some(({ name }) => {
        const schema = `"${name.replaceAll('"', '""')}".sqlite_schema`
        return (
          this.#db.prepare(`SELECT 1 FROM ${schema} WHERE sql LIKE '%deferred%' LIMIT 1`).get() !== undefined
        )
      })
    return this.#deferred
  }
}
