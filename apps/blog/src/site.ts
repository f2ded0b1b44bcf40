import { fileURLToPath } from 'node:url'
import { invalidate } from '@outrider/relaycache'
import type { SqliteWorker } from '@outrider/sqlite-worker'
import { Analytics } from './analytics.ts'
import { AuditLog } from './audit-log.ts'
import { openCache, type Cache } from './cache.ts'
import { openDatabase, type OpenDatabase } from './database.ts'
import { Hub } from './lib/hub/client.ts'
import { createBookService, type BookService } from './services/books.ts'
import { createPostService, type PostService } from './services/posts.ts'
import { dataEnvironment, type Settings } from './settings.ts'
import { Workers, type WorkerAlias } from './workers.ts'

/** Everything that pages and commands work with, opened once per process. */
export interface Site extends AsyncDisposable {
  readonly settings: Settings
  readonly database: OpenDatabase
  readonly analytics: Analytics
  readonly audit: AuditLog
  readonly cache: Cache
  readonly books: BookService
  readonly posts: PostService
  /** The worker of a SQLite file: always the same one in a process. Closed with the site. */
  getWorker(alias: WorkerAlias): SqliteWorker
  /** Takes what carries these tags out of the cache, in every process of this site. */
  invalidate(tags: readonly string[]): Promise<void>
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
  const invalidateHere = async (tags: readonly string[]): Promise<void> => {
    await invalidate({ tags: [...tags], backend: cache.backend })
  }
  const hub = await Hub.join({
    dataDir: settings.dataDir,
    program: fileURLToPath(new URL('../dist/gateway.js', import.meta.url)),
    env: dataEnvironment(settings),
    onInvalidate: invalidateHere,
    onGap: async () => {
      if (!cache.isShared) await cache.backend.clear() // what is shared missed nothing
    },
    onError: (error) => onError(error, 'the databases could not be started again'),
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
  return {
    settings,
    database,
    analytics,
    audit,
    cache,
    books: createBookService(database.db, cache.backend),
    posts: createPostService(database.db, cache.backend),
    getWorker: (alias) => workers.getWorker(alias),
    async invalidate(tags) {
      await invalidateHere(tags)
      if (!cache.isShared) await hub.invalidate(tags)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
