import type { CacheBackend } from '../backend.ts'
import { checkBackend } from '../default-backend.ts'
import { ttlToMs, type Ttl } from '../duration.ts'
import { checkOptionNames, describe } from '../options.ts'
import { distinctTags, type Tags } from '../tags.ts'

/** How the responses of a view are cached. `A` are its arguments; the first one is the request. */
export interface CacheViewOptions<A extends readonly unknown[]> {
  /** How long a response may be served. A bare number is seconds; more than 0 and at most one year. @default 3600 */
  readonly ttl?: Ttl | undefined
  /** By which `invalidate` finds the responses. A function gets the arguments of the view. @default [] */
  readonly tags?: Tags<A> | undefined
  /**
   * Makes the key from the arguments of the view; must tell apart whatever the view tells apart, and views on one
   * backend. @default the path, and the query sorted by name
   */
  readonly keyFunc?: ((...args: A) => string) | undefined
  /** Where responses are kept. @default the default backend at the time of each request */
  readonly backend?: CacheBackend | undefined
  /**
   * Request headers on which responses depend: requests that differ in them do not share a response. Those that a
   * response names in `Vary` need not be given. @default []
   */
  readonly vary?: readonly string[] | undefined
  /**
   * Also for requests with `Authorization` or `Cookie`. All users then share responses, unless `keyFunc` or `vary`
   * tells them apart or the response says `Cache-Control: private`. @default false
   */
  readonly authenticated?: boolean | undefined
  /** A longer body is passed on and not cached. More than 0. @default 1_048_576 */
  readonly maxBodyBytes?: number | undefined
  /**
   * How long a client may use a response without asking again, at most until its ttl is over. No invalidation reaches
   * the client meanwhile. For responses without a `Cache-Control` of their own. @default clients always ask
   */
  readonly clientTtl?: Ttl | undefined
}

/** {@link CacheViewOptions} with every decision made. */
export interface ResolvedViewOptions<A extends readonly unknown[]> {
  readonly ttl: Ttl
  readonly ttlMs: number
  readonly tags: (...args: A) => readonly string[]
  readonly keyFunc: ((...args: A) => string) | undefined
  readonly backend: CacheBackend | undefined
  readonly vary: readonly string[]
  readonly authenticated: boolean
  readonly maxBodyBytes: number
  /** 0: clients always ask. */
  readonly clientTtlMs: number
}

const OPTION_NAMES = [
  'ttl',
  'tags',
  'keyFunc',
  'backend',
  'vary',
  'authenticated',
  'maxBodyBytes',
  'clientTtl',
] as const

/**
 * @throws {TypeError} for an unknown or ill-typed option
 * @throws {RangeError} when `ttl`, `clientTtl` or `maxBodyBytes` is out of range
 */
export function resolveViewOptions<A extends readonly unknown[]>(
  options: CacheViewOptions<A>,
): ResolvedViewOptions<A> {
  checkOptionNames('cacheView', options, OPTION_NAMES)
  const { ttl = 3600, tags = [], keyFunc, backend, vary = [], authenticated = false, clientTtl } = options
  const { maxBodyBytes = 1_048_576 } = options
  if (keyFunc !== undefined && typeof keyFunc !== 'function')
    throw new TypeError(`Expected keyFunc to be a function, got ${describe(keyFunc)}`)
  if (typeof authenticated !== 'boolean')
    throw new TypeError(`Expected authenticated to be true or false, got ${describe(authenticated)}`)
  if (!Number.isSafeInteger(maxBodyBytes) || maxBodyBytes < 1)
    throw new RangeError(`Expected maxBodyBytes to be an integer > 0, got ${describe(maxBodyBytes)}`)
  const fixedTags = typeof tags === 'function' ? undefined : distinctTags(tags)
  return {
    ttl,
    ttlMs: ttlToMs('ttl', ttl),
    tags: typeof tags === 'function' ? tags : () => fixedTags ?? [],
    keyFunc,
    backend: backend === undefined ? undefined : checkBackend(backend),
    vary: headerNames(vary),
    authenticated,
    maxBodyBytes,
    clientTtlMs: clientTtl === undefined ? 0 : ttlToMs('clientTtl', clientTtl),
  }
}

function headerNames(vary: unknown): readonly string[] {
  if (!Array.isArray(vary))
    throw new TypeError(`Expected vary to be an array of header names, got ${describe(vary)}`)
  for (const name of vary as unknown[]) {
    if (typeof name !== 'string' || !/^[\w!#$%&'+.^`|~-]+$/.test(name))
      throw new TypeError(`Expected vary to hold header names, got ${describe(name)}`)
  }
  return (vary as string[]).map((name) => name.toLowerCase())
}
