import type { CacheBackend } from './backend.ts'
import { checkBackend, getDefaultBackend } from './default-backend.ts'
import { checkOptionNames, describe } from './options.ts'
import { distinctTags } from './tags.ts'

/** What to take out of which cache. */
export interface InvalidateOptions {
  /** Every value with at least one of these tags goes. */
  readonly tags: readonly string[]
  /**
   * Whether cached functions may serve the values once more: they become stale, the next call of each begins one run of
   * the function in the background, and until that is stored callers get the old value, at most until its ttl (and
   * grace) is over. For changes that need not be seen at once. @default false
   */
  readonly soft?: boolean | undefined
  /** @default the default backend */
  readonly backend?: CacheBackend | undefined
}

/** A confirmed invalidation. */
export interface Invalidated {
  /** The tags, each once. */
  readonly tags: readonly string[]
  readonly confirmed: true
}

/**
 * Takes every value with one of the tags out of the cache. No call that begins after it resolved, in any process,
 * returns a value whose computation began before it; call it after the transaction that changed the data has committed.
 * With `soft` the values may be served until they are computed again, but not as up to date: whatever is computed from
 * then on is new. Its cost grows with the number of tags, not with the number of values.
 *
 * @throws {InvalidationUnconfirmedError} when the backend did not confirm
 * @throws {TypeError} for an unknown option or a tag that is not a string
 * @example
 * await invalidate({ tags: ['book:1', 'books'], backend })
 */
export async function invalidate(options: InvalidateOptions): Promise<Invalidated> {
  checkOptionNames('invalidate', options, ['tags', 'soft', 'backend'])
  const backend = options.backend === undefined ? getDefaultBackend() : checkBackend(options.backend)
  const { soft = false } = options
  if (typeof soft !== 'boolean') throw new TypeError(`Expected soft to be a boolean, got ${describe(soft)}`)
  const tags = distinctTags(options.tags)
  await backend.invalidateTags(tags, { soft })
  return { tags, confirmed: true }
}
