import { setImmediate } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { cache } from '../cache.ts'
import type { CachedFunction } from '../cached-function.ts'
import { NotStored, type Refusal } from './not-stored.ts'
import { urlKey, variantKey, type HeaderOf } from './request-key.ts'
import {
  isPrivate,
  isStoredResponse,
  listed,
  type ResponseHead,
  type StoredResponse,
} from './stored-response.ts'
import { resolveViewOptions, type CacheViewOptions, type ResolvedViewOptions } from './view-options.ts'

/** Whether the response to `head` may be stored and shared. Says why not. */
export type Check = (head: ResponseHead) => Refusal | undefined

/** One request for a view. */
export interface Visit<A extends readonly unknown[]> {
  readonly args: A
  /** Path and query. */
  readonly url: string
  readonly header: HeaderOf
  /** Whether nobody waits for the response any more. The handler does not run then: its end might go unnoticed. */
  readonly isOver?: () => boolean
  /**
   * Runs the handler, on behalf of everyone with the same key. Rejects with {@link NotStored} when the response is
   * only for the caller, which then sends it itself.
   */
  run(check: Check): Promise<StoredResponse>
}

/** A response to send, and whether the handler ran for this request. */
export interface Answer {
  readonly stored: StoredResponse
  readonly source: 'HIT' | 'MISS'
}

/** What the cached function is called with. */
interface Lookup {
  readonly key: string
  readonly tags: () => readonly string[]
  readonly run: () => Promise<StoredResponse>
}

/** For this long, requests for what turned out to be private do not wait for one another. */
const PRIVATE_MS = 10_000
const MAX_PRIVATE_KEYS = 1000
/** A view whose responses vary by more headers than this is not cached. */
const MAX_VARY = 20

/** The cache of the responses of one view; knows no framework. */
export class View<A extends readonly unknown[]> {
  readonly options: ResolvedViewOptions<A>
  readonly #cached: CachedFunction<[Lookup], StoredResponse>
  /** Names of headers, sorted: what the user named, and what responses named in `Vary`. Only ever replaced. */
  #vary: readonly string[]
  readonly #private: LRUCache<string, true> = new LRUCache({ max: MAX_PRIVATE_KEYS, ttl: PRIVATE_MS })

  constructor(options: CacheViewOptions<A>) {
    this.options = resolveViewOptions(options)
    const { ttl, backend, vary } = this.options
    this.#vary = [...new Set(vary)].toSorted()
    this.#cached = cache(
      { ttl, backend, key: (lookup: Lookup) => lookup.key, tags: (lookup: Lookup) => lookup.tags() },
      (lookup: Lookup) => lookup.run(),
    )
  }

  /** Whether a request may be answered from the cache. Any other goes to its handler as if there were none. */
  admits(method: string, header: HeaderOf): boolean {
    if (method !== 'GET' && method !== 'HEAD') return false
    if (['range', 'if-match', 'if-unmodified-since'].some((name) => header(name) !== undefined)) return false
    return this.options.authenticated || !hasCredentials(header)
  }

  /**
   * The cached response, or that of a run of the handler: by this request or by another one that it may join.
   * `undefined`: the response of this request is for nobody else. If its handler did not run, it must run now,
   * unless the visit is over.
   *
   * @throws what `keyFunc` and `tags` throw
   */
  async answer(visit: Visit<A>): Promise<Answer | undefined> {
    const base = this.#baseKey(visit)
    while (!visit.isOver?.()) {
      const names = this.#vary
      const key = variantKey(base, names, visit.header)
      if (this.#private.has(key)) return undefined
      let leads = false
      let isAnswered = false
      const run = async (): Promise<StoredResponse> => {
        if (isAnswered || visit.isOver?.()) throw new NotStored('abandoned')
        leads = true
        return visit.run((head) => this.#check(head, names))
      }
      try {
        const { value, status } = await this.#cached.lookup({
          key,
          tags: () => this.options.tags(...visit.args),
          run,
        })
        // After a soft invalidation this request may be about to run its handler, and then can send its own response.
        if (status === 'stale' && !leads) await setImmediate()
        isAnswered = true
        if (!isStoredResponse(value)) return undefined
        return { stored: value, source: status === 'miss' ? 'MISS' : 'HIT' }
      } catch (error) {
        if (!(error instanceof NotStored)) throw error
        if (error.refusal === 'private') this.#private.set(key, true)
        if (leads || error.refusal === 'private' || error.refusal === 'failed') return undefined
      }
    }
    return undefined
  }

  #baseKey({ args, url }: Visit<A>): string {
    const { keyFunc } = this.options
    if (!keyFunc) return urlKey(url)
    const key: unknown = keyFunc(...args)
    if (typeof key === 'string' && key !== '') return key
    throw new TypeError(
      `Expected keyFunc to return a string that is not empty, got ${key === '' ? "''" : typeof key}`,
    )
  }

  /** `names` are the headers in the key of the request: a response that depends on others does not belong there. */
  #check(head: ResponseHead, names: readonly string[]): Refusal | undefined {
    if (head.status !== 200) return 'failed'
    if (isPrivate(head) || Number(head.header('content-length') ?? 0) > this.options.maxBodyBytes)
      return 'private'
    const varying = listed(head.header('vary')).filter((name) => !names.includes(name))
    if (varying.length === 0) return undefined
    const known = [...new Set([...this.#vary, ...varying])].toSorted()
    if (known.length > MAX_VARY) return 'private'
    this.#vary = known
    return 'varies'
  }
}

/** Whether a request tells who sent it. */
export function hasCredentials(header: HeaderOf): boolean {
  return header('authorization') !== undefined || header('cookie') !== undefined
}
