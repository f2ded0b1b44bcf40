import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SqliteWorker } from '@outrider/sqlite-worker'

/** The file of page views. The day of a view is derived by SQLite, so that it always agrees with its time. */
const schema = [
  `CREATE TABLE IF NOT EXISTS page_views (
    url TEXT NOT NULL,
    user_id INTEGER,
    timestamp TEXT NOT NULL,
    date TEXT GENERATED ALWAYS AS (substr(timestamp, 1, 10)) VIRTUAL
  )`,
  'CREATE INDEX IF NOT EXISTS page_views_by_date ON page_views (date, url)',
]

/** Page views, kept beside the site's own data so that counting them never slows it down. */
export class Analytics {
  readonly #worker: SqliteWorker

  /** `onError` receives what goes wrong with views that nobody waits for. */
  constructor(dataDir: string, onError: (error: unknown) => void) {
    mkdirSync(dataDir, { recursive: true })
    this.#worker = new SqliteWorker(join(dataDir, 'analytics.db'), {
      executeInit: schema,
      onUnobservedError: onError,
    })
  }

  /** Notes a view. Returns at once; the row is written together with those of other requests. */
  logView(url: string): void {
    void this.#worker.insert('page_views', { url, user_id: null, timestamp: new Date() })
  }

  /** How many views were noted, this one's included if it was noted before this call. */
  async countViews(): Promise<number> {
    const [row] = await this.#worker.execute<{ views: number }>('SELECT COUNT(*) AS views FROM page_views')
    return row?.views ?? 0
  }

  /** Writes what waits, then closes the file. */
  close(): Promise<void> {
    return this.#worker.close()
  }
}
