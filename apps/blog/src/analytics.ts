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
  'CREATE TABLE IF NOT EXISTS analytics (post_id INTEGER, views INTEGER, date TEXT, PRIMARY KEY (post_id, date))',
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

  /** How many views were noted, of one address or of all; those noted before this call are counted. */
  async countViews(url?: string): Promise<number> {
    const where = url === undefined ? '' : 'WHERE url = ?'
    const [row] = await this.#worker.execute<{ views: number }>(
      `SELECT COUNT(*) AS views FROM page_views ${where}`,
      url === undefined ? [] : [url],
    )
    return row?.views ?? 0
  }

  /** Stores how often each post was read up to a day, all or nothing; a day stored before is replaced. */
  async storePostViews(
    date: string,
    posts: readonly { readonly id: number; readonly views: number }[],
  ): Promise<void> {
    await this.#worker.transaction(async (tx) => {
      for (const { id, views } of posts) {
        await tx.execute('INSERT OR REPLACE INTO analytics (post_id, views, date) VALUES (?, ?, ?)', [
          id,
          views,
          date,
        ])
      }
    })
  }

  /** Writes what waits, then closes the file. */
  close(): Promise<void> {
    return this.#worker.close()
  }
}
