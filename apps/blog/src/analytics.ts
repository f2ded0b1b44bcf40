import type { SqliteWorker } from '@outrider/sqlite-worker'

/** The day of a view is derived by SQLite, so that it always agrees with its time. Days are those of UTC. */
export const analyticsSchema: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS page_views (
    url TEXT NOT NULL,
    user_id INTEGER,
    timestamp TEXT NOT NULL,
    date TEXT GENERATED ALWAYS AS (substr(timestamp, 1, 10)) VIRTUAL
  )`,
  'CREATE INDEX IF NOT EXISTS page_views_by_date ON page_views (date, url)',
  'CREATE INDEX IF NOT EXISTS page_views_by_url ON page_views (url)',
  'CREATE TABLE IF NOT EXISTS analytics (post_id INTEGER, views INTEGER, date TEXT, PRIMARY KEY (post_id, date))',
  'CREATE INDEX IF NOT EXISTS analytics_by_date ON analytics (date)',
]

const DAY_MS = 24 * 60 * 60 * 1000

/** The views of a day. */
export interface DayViews {
  /** Such as `2026-01-31`. */
  readonly date: string
  readonly views: number
}

/** The views of an address. */
export interface UrlViews {
  readonly url: string
  readonly views: number
}

export interface AnalyticsOptions {
  /** Receives what goes wrong with views that nobody waits for. */
  readonly onError: (error: unknown) => void
  /** @default the clock */
  readonly now?: () => Date
}

/** Page views, kept beside the site's own data so that counting them never slows it down. */
export class Analytics {
  readonly #worker: SqliteWorker
  readonly #onError: (error: unknown) => void
  readonly #now: () => Date

  constructor(worker: SqliteWorker, { onError, now = () => new Date() }: AnalyticsOptions) {
    this.#worker = worker
    this.#onError = onError
    this.#now = now
  }

  /** Notes a view. Returns at once; the row is written together with those of other requests. */
  logView(url: string, userId: number | null = null): void {
    this.#worker
      .insert('page_views', { url, user_id: userId, timestamp: this.#now() })
      .catch((error: unknown) => this.#onError(error))
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

  /** The views of each of the last days, today first. Days without any are left out. */
  async viewsByDay(days: number): Promise<DayViews[]> {
    return this.#worker.execute<DayViews & { date: string; views: number }>(
      'SELECT date, COUNT(*) AS views FROM page_views WHERE date > ? GROUP BY date ORDER BY date DESC',
      [dayOf(this.#now().getTime() - days * DAY_MS)],
    )
  }

  /** The addresses that were viewed most today, the first first. */
  async topToday(limit: number): Promise<UrlViews[]> {
    return this.#worker.execute<UrlViews & { url: string; views: number }>(
      `SELECT url, COUNT(*) AS views FROM page_views WHERE date = ?
      GROUP BY url ORDER BY views DESC, url LIMIT ?`,
      [dayOf(this.#now().getTime()), limit],
    )
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
}

const dayOf = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10)
