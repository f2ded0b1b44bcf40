import type { SqliteWorker } from '@outrider/sqlite-worker'

export const auditSchema: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS audit_log (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    object_id INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('created', 'updated', 'deleted')),
    timestamp TEXT NOT NULL,
    actor TEXT NOT NULL,
    diff TEXT
  )`,
  'CREATE INDEX IF NOT EXISTS audit_log_by_object ON audit_log (model, object_id)',
  'CREATE INDEX IF NOT EXISTS audit_log_by_time ON audit_log (timestamp)',
]

/** What became of a row. */
export interface Change {
  /** SQL name of its table. */
  readonly model: string
  readonly objectId: number
  readonly action: 'created' | 'deleted' | 'updated'
  /** What an update changed: by property, the value before and after. */
  readonly diff?: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>> | undefined
}

/** A change as it stands in the log. */
export interface AuditEntry extends Change {
  readonly timestamp: Date
  /** Who did it: `system`, the name of a command, or a user. */
  readonly actor: string
}

/** Which entries to read. */
export interface AuditQuery {
  readonly model?: string
  readonly objectId?: number
  /** The most to give, 1 or more. @default 50 */
  readonly limit?: number
}

interface AuditRow {
  readonly model: string
  readonly object_id: number
  readonly action: Change['action']
  readonly timestamp: string
  readonly actor: string
  readonly diff: string | null
}

/**
 * Who changed what, and when. A row for each changed object, also of an import: "who changed book 7?" is the question
 * that a log of counts could not answer. The rows of one call are one insert, so that a batch of thousands takes
 * milliseconds, on another thread.
 */
export class AuditLog {
  readonly #worker: SqliteWorker
  readonly #onError: (error: unknown) => void

  /** `onError` receives what goes wrong; whoever made the change is never told. */
  constructor(worker: SqliteWorker, onError: (error: unknown) => void) {
    this.#worker = worker
    this.#onError = onError
  }

  /**
   * Notes changes that have been committed, all or none of them. Returns at once and never throws; the rows are written
   * by the time the site has closed. A process that is killed right after its commit leaves the changes unnoted.
   */
  record(actor: string, changes: readonly Change[]): void {
    if (changes.length === 0) return
    const timestamp = new Date().toISOString()
    const rows = changes.map(({ model, objectId, action, diff }) => ({
      model,
      object_id: objectId,
      action,
      timestamp,
      actor,
      diff: diff === undefined ? null : JSON.stringify(diff),
    }))
    this.#worker.insert('audit_log', rows).catch((error: unknown) => this.#onError(error))
  }

  /** The newest entries first, of all objects or of those asked for; those recorded before this call are there. */
  async read({ model, objectId, limit = 50 }: AuditQuery = {}): Promise<AuditEntry[]> {
    const conditions = {
      ...(model !== undefined && { model }),
      ...(objectId !== undefined && { object_id: objectId }),
    }
    const rows = (await this.#worker.select('audit_log', {
      conditions,
      orderBy: '-id',
      limit,
    })) as unknown as AuditRow[]
    return rows.map(({ object_id, timestamp, diff, model, action, actor }) => ({
      model,
      objectId: object_id,
      action,
      actor,
      timestamp: new Date(timestamp),
      diff: diff === null ? undefined : (JSON.parse(diff) as AuditEntry['diff']),
    }))
  }
}
