import { fileURLToPath } from 'node:url'
import type { SqliteWorker } from '@outrider/sqlite-worker'
import { Analytics } from './analytics.ts'
import { AuditLog } from './audit-log.ts'
import {
  answerQuestion,
  change,
  type CacheChange,
  type CacheQuestion,
  type CacheReport,
} from './cache-questions.ts'
import { tagsOf } from './cache-tags.ts'
import { openCache, type Cache } from './cache.ts'
import { openDatabase, type OpenDatabase } from './database.ts'
import { Hub } from './lib/hub/client.ts'
import { createBookSearch, type BookSearch } from './services/book-search.ts'
import { createBookService, type BookService } from './services/books.ts'
import { createBookClearing, type BookClearing } from './services/clear-books.ts'
import { createPostService, type PostService } from './services/posts.ts'
import { dataEnvironment, type Settings } from './settings.ts'
import { trackedTransaction, type Touched, type Transaction } from './tracked-transaction.ts'
import { Workers, type WorkerAlias } from './workers.ts'

/** Everything that pages and commands work with, opened once per process. */
export interface Site extends AsyncDisposable {
  readonly settings: Settings
  readonly database: OpenDatabase
  readonly analytics: Analytics
  readonly audit: AuditLog
  readonly cache: Cache
  readonly books: BookService
  readonly search: BookSearch
  readonly clearing: BookClearing
  readonly posts: PostService
  /** The worker of a SQLite file: always the same one in a process. Closed with the site. */
  getWorker(alias: WorkerAlias): SqliteWorker
  /**
   * Runs a transaction on the site's own data. What it changed of the rows that it says to have touched is, once it is
   * committed, noted in the audit log and taken out of the cache of every process: whoever waited for it sees it. A
   * rollback does neither. Neither makes a change fail that is committed; that goes to `onError`. `actor` is `system`,
   * the name of a command, or a user.
   */
  transaction<T>(
    actor: string,
    work: (tx: Transaction, touch: (rows: Touched) => void) => Promise<T>,
  ): Promise<T>
  /** Takes what carries these tags out of the cache, in every process of this site. @throws unless all confirmed */
  invalidate(tags: readonly string[]): Promise<void>
  /** Empties the cache, in every process of this site. @throws unless all confirmed */
  clearCache(): Promise<void>
  /** What the other processes of this site say of their caches. */
  askCaches(): Promise<CacheReport[]>
  /** Finishes what waits and lets go of everything. */
  close(): Promise<void>
}

export interface SiteEvents {
  /** Something failed that nobody waits for. */
  readonly onError: (error: unknown, what: string) => void
}

/** Opens the site, starting the embedded databases when they do not run. @throws when they cannot be started */
export async function openSite(settings: Settings, { onError }: SiteEvents): Promise<Site> {
  const cache = openCache(settings.redisUrl, (error) => onError(error, 'the cache is not reachable'))
  const hub = await Hub.join<CacheQuestion, CacheReport | null>({
    dataDir: settings.dataDir,
    program: fileURLToPath(new URL('../dist/gateway.js', import.meta.url)),
    env: dataEnvironment(settings),
    onQuestion: (question) =>
      answerQuestion(cache, question).catch((error: unknown) => {
        onError(error, 'the cache did not do what another process asked for')
        return null
      }),
    onGap: async () => {
      if (!cache.redis) await cache.backend.clear() // what is shared missed nothing
    },
    onError: (error) => onError(error, 'the databases could not be started again'),
  }).catch((error: unknown) => {
    cache.close()
    throw error
  })
  const gateway =
    settings.phantomUrl === undefined ? hub.gateway : { url: settings.phantomUrl, token: undefined }
  if (!gateway)
    throw new Error(
      'The hub of this data folder serves no database; end the processes that use it, then start again',
    )
  const database = openDatabase(gateway)
  const workers = new Workers(settings)
  const analytics = new Analytics(workers.getWorker('analytics'), {
    onError: (error) => onError(error, 'a page view could not be stored'),
  })
  const audit = new AuditLog(workers.getWorker('analytics'), (error) =>
    onError(error, 'changes could not be noted in the audit log'),
  )
  const close = async (): Promise<void> => {
    await workers.close().catch((error: unknown) => onError(error, 'the analytics file could not be closed'))
    await database.client.close()
    cache.close()
    await hub.leave()
  }
  /** What Redis does not confirm, other processes try as well: they may live for longer than this one. */
  const everywhere = async (what: CacheChange): Promise<void> => {
    const [here] = await Promise.allSettled([change(cache.backend, what)])
    const isInRedis = cache.redis !== undefined && here.status === 'fulfilled'
    const told = hub.ask({ ...what, isInRedis })
    if (isInRedis) return void told.catch(() => {}) // it matters only to a process that should use Redis and does not
    const [elsewhere] = await Promise.allSettled([told])
    for (const outcome of [here, elsewhere]) if (outcome.status === 'rejected') throw outcome.reason
  }
  const invalidate = (tags: readonly string[]): Promise<void> => everywhere({ type: 'invalidate', tags })
  return {
    settings,
    database,
    analytics,
    audit,
    cache,
    books: createBookService(database.db, cache.backend),
    posts: createPostService(database.db, cache.backend),
    search: createBookSearch(database.db, cache.backend),
    clearing: createBookClearing(invalidate),
    getWorker: (alias) => workers.getWorker(alias),
    async transaction(actor, work) {
      const { result, changes } = await trackedTransaction(database.db, work)
      audit.record(actor, changes)
      const tags = tagsOf(changes)
      if (tags.length > 0)
        await invalidate(tags).catch((error: unknown) =>
          onError(error, 'changes are stored, but pages may show for a while what was before'),
        )
      return result
    },
    invalidate,
    clearCache: () => everywhere({ type: 'clear' }),
    askCaches: async () => (await hub.ask({ type: 'stats' })).filter((report) => report !== null),
    close,
    [Symbol.asyncDispose]: close,
  }
}
