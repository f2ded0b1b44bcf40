import { invalidate, type CacheBackend, type CacheStats } from '@outrider/relaycache'

/** What one process of a site asks of the caches of all others. */
export type CacheQuestion =
  | { readonly type: 'invalidate'; readonly tags: readonly string[] }
  | { readonly type: 'clear' }
  | { readonly type: 'stats' }

/** The cache of one process, as it sees it. */
export interface CacheReport {
  readonly pid: number
  readonly stats: CacheStats
}

/** Does to a cache what is asked; only `stats` has something to tell. @throws when an invalidation is not confirmed */
export async function answerQuestion(
  backend: CacheBackend,
  question: CacheQuestion,
): Promise<CacheReport | null> {
  switch (question.type) {
    case 'invalidate':
      await invalidate({ tags: [...question.tags], backend })
      return null
    case 'clear':
      await backend.clear()
      return null
    case 'stats':
      return { pid: process.pid, stats: await backend.stats() }
  }
}
