import { invalidate, type CacheBackend, type CacheStats } from '@outrider/relaycache'
import type { Cache } from './cache.ts'

/** What takes values out of a cache. */
export type CacheChange =
  | { readonly type: 'invalidate'; readonly tags: readonly string[] }
  | { readonly type: 'clear' }

/** What one process of a site asks of the caches of all others. */
export type CacheQuestion =
  | { readonly type: 'stats' }
  /** `isInRedis`: Redis has confirmed it, so only caches that are not in Redis need to do it as well. */
  | (CacheChange & { readonly isInRedis: boolean })

/** The cache of one process, as it sees it. */
export interface CacheReport {
  readonly pid: number
  readonly stats: CacheStats
}

/** @throws when it is not confirmed; the backend keeps trying then, for as long as this process lives */
export async function change(backend: CacheBackend, what: CacheChange): Promise<void> {
  if (what.type === 'clear') await backend.clear()
  else await invalidate({ tags: [...what.tags], backend })
}

/** Does to a cache what is asked; only `stats` has something to tell. @throws as {@link change} does */
export async function answerQuestion(
  { backend, redis }: Cache,
  question: CacheQuestion,
): Promise<CacheReport | null> {
  if (question.type === 'stats') return { pid: process.pid, stats: await backend.stats() }
  if (!redis || !question.isInRedis) await change(backend, question)
  return null
}
