import type { CacheBackend } from './backend.ts'
import { checkBackend, getDefaultBackend } from './default-backend.ts'
import { durationToMs, longDurationToMs, ttlToMs, type Duration, type Ttl } from './duration.ts'
import { ResultTagsError } from './errors.ts'
import { callKey, quote, wellFormedKey } from './keys.ts'
import { checkOptionNames, describe } from './options.ts'
import type { OnError } from './reporter.ts'
import { distinctTags, type Tags } from './tags.ts'

/** How {@link cache} caches a function with the parameters `A` and the result `T`. */
export interface CacheOptions<A extends readonly unknown[], T = unknown> {
  /** How long a value may be served. A bare number is seconds; more than 0 and at most one year. */
  readonly ttl: Ttl
  /**
   * A text takes the place of the function's name in front of the arguments; a function gives the whole key.
   * @default the name of the function
   */
  readonly key?: string | ((...args: A) => string) | undefined
  /** Put before every key, in quotes, to keep applications or tenants apart. */
  readonly namespace?: string | undefined
  /** Where values are kept. @default the default backend at the time of each call */
  readonly backend?: CacheBackend | undefined
  /** Makes the key from the name and the arguments. Not together with a `key` function. */
  readonly keyBuilder?: ((name: string, args: A) => string) | undefined
  /** By which {@link invalidate} finds the values. A function gets the arguments of the call. @default [] */
  readonly tags?: Tags<A> | undefined
  /**
   * More tags, that follow from the result. The result is stored only if no tag at all was invalidated while the
   * function ran. When this throws, or gives no tags, callers get the result, it is not stored, and the backend's
   * `onError` hears a {@link ResultTagsError}. @default none
   */
  readonly resultTags?: ((result: T, ...args: A) => readonly string[]) | undefined
  /** Asked at every call. While it says true, the function runs, and nothing is read, joined or stored. */
  readonly bypass?: (() => boolean) | undefined
  /** By how much of its ttl, from 0 to 1, a stored value may expire early, at random. @default 0 */
  readonly jitter?: number | undefined
  /** The ttl of the results `null` and `undefined`. A bare number is seconds. @default `ttl` */
  readonly negativeTtl?: Ttl | undefined
  /**
   * How long an error of the function is given to later callers in place of another run. It is kept in this process,
   * and ends early with an invalidation or a `refresh` that succeeds. A bare number is seconds. @default not at all
   */
  readonly errorTtl?: Ttl | undefined
  /**
   * How long a value is kept beyond its ttl, stale. It is then served to callers for whom the function fails, and in
   * the cases of `softTimeout` and `staleWhileRevalidate`; never when it was invalidated. @default not at all
   */
  readonly grace?: Duration | undefined
  /**
   * How long callers wait for the function where there is a stale value. It goes on in the background, and its result
   * is stored. @default as long as it takes
   */
  readonly softTimeout?: Duration | undefined
  /** Whether a stale value is served at once, while one run of the function is under way. @default false */
  readonly staleWhileRevalidate?: boolean | undefined
  /**
   * Whether a value that was asked for may be computed again in the background before its ttl is over: the sooner the
   * end, and the longer the function took, the more likely. Callers get the old value meanwhile. @default false
   */
  readonly earlyRefresh?: boolean | undefined
  /**
   * Whether one process computes a missing value while the others wait for it. Backends that no other process uses do
   * the same without it. @default false
   */
  readonly distributedSingleflight?: boolean | undefined
  /**
   * How long the process that computes may be dead or blocked before another one takes over. While it is not, the
   * function may take longer. Only with `distributedSingleflight`. A bare number is seconds. @default 5
   */
  readonly distLockTtl?: Ttl | undefined
  /**
   * How long a call waits for another process before it runs the function itself: longer than the function takes, or
   * it runs in every process. Only with `distributedSingleflight`. A bare number is seconds. @default 2
   */
  readonly distLockTimeout?: Ttl | undefined
}

/** {@link CacheOptions} with every decision made. */
export interface ResolvedCacheOptions<A extends readonly unknown[]> {
  readonly name: string
  /** How long any value, or an error that is kept, may live. */
  readonly lifeMs: number
  /** The ttl of one value. */
  readonly ttlMsOf: (value: unknown) => number
  readonly errorTtlMs: number | undefined
  /** How to compute in one process at a time; `undefined` when each computes for itself. */
  readonly singleflight: { readonly lockTtlMs: number; readonly lockTimeoutMs: number } | undefined
  readonly graceMs: number
  readonly softTimeoutMs: number | undefined
  readonly staleWhileRevalidate: boolean
  readonly earlyRefresh: boolean
  readonly bypass: (() => boolean) | undefined
  readonly backend: () => CacheBackend
  readonly key: (args: A) => string
  readonly tags: (args: A) => readonly string[]
  /** `undefined`, and a report, when there are none to be had. */
  readonly resultTags:
    | ((result: unknown, args: A, report: OnError) => readonly string[] | undefined)
    | undefined
}

const OPTION_NAMES = [
  'ttl',
  'key',
  'namespace',
  'backend',
  'keyBuilder',
  'tags',
  'resultTags',
  'bypass',
  'jitter',
  'negativeTtl',
  'errorTtl',
  'grace',
  'softTimeout',
  'staleWhileRevalidate',
  'earlyRefresh',
  'distributedSingleflight',
  'distLockTtl',
  'distLockTimeout',
] as const

/**
 * Checks the options and settles how keys and tags are made.
 *
 * @throws {TypeError} for an unknown or ill-typed option, or a function without a name and without a key
 * @throws {RangeError} when `ttl` is missing or out of range
 * @throws {UnsupportedKeyError} when the name has a lone surrogate
 */
export function resolveCacheOptions<A extends readonly unknown[]>(
  options: CacheOptions<A, never>,
  functionName: string,
): ResolvedCacheOptions<A> {
  checkOptionNames('cache', options, OPTION_NAMES)
  const { namespace, backend, tags = [], resultTags, bypass } = options
  if (backend !== undefined) checkBackend(backend)
  checkType('namespace', namespace, ['string'])
  checkType('bypass', bypass, ['function'])
  checkType('resultTags', resultTags, ['function'])
  const name = typeof options.key === 'string' ? options.key : functionName
  const makeKey = keyMaker(options, name)
  const ttlMs = ttlToMs('ttl', options.ttl)
  const negativeTtlMs = optionalTtl('negativeTtl', options.negativeTtl) ?? ttlMs
  const errorTtlMs = optionalTtl('errorTtl', options.errorTtl)
  const stale = resolveStaleOptions(options)
  return {
    name,
    lifeMs: Math.max(Math.max(ttlMs, negativeTtlMs) + stale.graceMs, errorTtlMs ?? 0),
    ttlMsOf: ttlPicker({ ttlMs, negativeTtlMs, jitter: checkFraction('jitter', options.jitter ?? 0) }),
    errorTtlMs,
    singleflight: resolveSingleflight(options),
    ...stale,
    bypass,
    backend: backend === undefined ? getDefaultBackend : () => backend,
    key: namespace === undefined ? makeKey : (args) => `${quote(namespace)}:${makeKey(args)}`,
    tags: tagMaker(tags, name),
    resultTags: resultTags && resultTagMaker(resultTags, name),
  }
}

function keyMaker<A extends readonly unknown[]>(
  { key, keyBuilder }: CacheOptions<A, never>,
  name: string,
): (args: A) => string {
  checkType('key', key, ['string', 'function'])
  checkType('keyBuilder', keyBuilder, ['function'])
  if (typeof key === 'function') {
    if (keyBuilder) throw new TypeError('Expected either a key function or a keyBuilder, got both')
    return (args) => checkKey('key', key(...args))
  }
  if (name === '')
    throw new TypeError(
      "Expected a function with a name, or an option such as key: 'getBook', to make keys that are unique",
    )
  if (keyBuilder) return (args) => checkKey('keyBuilder', keyBuilder(name, args))
  const checked = wellFormedKey(name)
  return (args) => callKey(checked, args)
}

function tagMaker<A extends readonly unknown[]>(
  tags: Tags<A>,
  owner: string,
): (args: A) => readonly string[] {
  const names = { owner }
  if (typeof tags === 'function') return (args) => distinctTags(tags(...args), names)
  const distinct = distinctTags(tags, names)
  return () => distinct
}

/** The function has run by then, and nothing that happens here takes its result from those who wait for it. */
function resultTagMaker<A extends readonly unknown[]>(
  resultTags: (result: never, ...args: A) => readonly string[],
  owner: string,
): ResolvedCacheOptions<A>['resultTags'] {
  return (result, args, report) => {
    try {
      return distinctTags(resultTags(result as never, ...args), { option: 'resultTags', owner })
    } catch (cause) {
      report(new ResultTagsError(owner, { cause }))
      return undefined
    }
  }
}

function resolveStaleOptions<A extends readonly unknown[]>({
  grace,
  softTimeout,
  staleWhileRevalidate = false,
  earlyRefresh = false,
}: CacheOptions<A, never>): Pick<
  ResolvedCacheOptions<A>,
  'graceMs' | 'softTimeoutMs' | 'staleWhileRevalidate' | 'earlyRefresh'
> {
  checkType('staleWhileRevalidate', staleWhileRevalidate, ['boolean'])
  checkType('earlyRefresh', earlyRefresh, ['boolean'])
  if (grace === undefined && (softTimeout !== undefined || staleWhileRevalidate)) {
    const option = staleWhileRevalidate ? 'staleWhileRevalidate' : 'softTimeout'
    throw new TypeError(`Expected the option grace with ${option}: without it no value is ever stale`)
  }
  return {
    graceMs: grace === undefined ? 0 : longDurationToMs('grace', grace),
    softTimeoutMs: softTimeout === undefined ? undefined : durationToMs('softTimeout', softTimeout),
    staleWhileRevalidate,
    earlyRefresh,
  }
}

function ttlPicker({
  ttlMs,
  negativeTtlMs,
  jitter,
}: Readonly<Record<'ttlMs' | 'negativeTtlMs' | 'jitter', number>>): (value: unknown) => number {
  return (value) => {
    const longest = value === null || value === undefined ? negativeTtlMs : ttlMs
    return jitter === 0 ? longest : Math.max(1, Math.ceil(longest * (1 - jitter * Math.random())))
  }
}

function optionalTtl(option: string, ttl: Ttl | undefined): number | undefined {
  return ttl === undefined ? undefined : ttlToMs(option, ttl)
}

function resolveSingleflight({
  distributedSingleflight,
  distLockTtl,
  distLockTimeout,
}: Pick<
  CacheOptions<never>,
  'distributedSingleflight' | 'distLockTtl' | 'distLockTimeout'
>): ResolvedCacheOptions<never>['singleflight'] {
  checkType('distributedSingleflight', distributedSingleflight, ['boolean'])
  if (distributedSingleflight === undefined && (distLockTtl ?? distLockTimeout) !== undefined) {
    const option = distLockTtl === undefined ? 'distLockTimeout' : 'distLockTtl'
    throw new TypeError(
      `Expected the option distributedSingleflight with ${option}: without it no process waits for another`,
    )
  }
  const lockTtlMs = ttlToMs('distLockTtl', distLockTtl ?? 5)
  const lockTimeoutMs = ttlToMs('distLockTimeout', distLockTimeout ?? 2)
  return distributedSingleflight ? { lockTtlMs, lockTimeoutMs } : undefined
}

function checkFraction(option: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw new RangeError(`Expected ${option} to be a fraction from 0 to 1, got ${describe(value)}`)
}

function checkKey(option: string, key: unknown): string {
  if (typeof key === 'string' && key !== '') return wellFormedKey(key)
  throw new TypeError(
    `Expected ${option} to return a string that is not empty, got ${key === '' ? "''" : typeof key}`,
  )
}

function checkType(option: string, value: unknown, types: readonly string[]): void {
  if (value === undefined || types.includes(typeof value)) return
  throw new TypeError(`Expected ${option} to be a ${types.join(' or a ')}, got ${describe(value)}`)
}
