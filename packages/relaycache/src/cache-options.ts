import type { CacheBackend } from './backend.ts'
import { checkBackend, getDefaultBackend } from './default-backend.ts'
import { ttlToMs, type Ttl } from './duration.ts'
import { callKey, quote, wellFormedKey } from './keys.ts'
import { checkOptionNames, describe } from './options.ts'
import { distinctTags, type Tags } from './tags.ts'

/** How {@link cache} caches a function with the parameters `A`. */
export interface CacheOptions<A extends readonly unknown[]> {
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
}

/** {@link CacheOptions} with every decision made. */
export interface ResolvedCacheOptions<A extends readonly unknown[]> {
  readonly name: string
  readonly ttlMs: number
  readonly backend: () => CacheBackend
  readonly key: (args: A) => string
  readonly tags: (args: A) => readonly string[]
}

const OPTION_NAMES = ['ttl', 'key', 'namespace', 'backend', 'keyBuilder', 'tags'] as const

/**
 * Checks the options and settles how keys and tags are made.
 *
 * @throws {TypeError} for an unknown or ill-typed option, or a function without a name and without a key
 * @throws {RangeError} when `ttl` is missing or out of range
 * @throws {UnsupportedKeyError} when the name has a lone surrogate
 */
export function resolveCacheOptions<A extends readonly unknown[]>(
  options: CacheOptions<A>,
  functionName: string,
): ResolvedCacheOptions<A> {
  checkOptionNames('cache', options, OPTION_NAMES)
  const { namespace, backend, tags = [] } = options
  if (backend !== undefined) checkBackend(backend)
  checkType('namespace', namespace, ['string'])
  const name = typeof options.key === 'string' ? options.key : functionName
  const makeKey = keyMaker(options, name)
  return {
    name,
    ttlMs: ttlToMs('ttl', options.ttl),
    backend: backend === undefined ? getDefaultBackend : () => backend,
    key: namespace === undefined ? makeKey : (args) => `${quote(namespace)}:${makeKey(args)}`,
    tags: tagMaker(tags),
  }
}

function keyMaker<A extends readonly unknown[]>(
  { key, keyBuilder }: CacheOptions<A>,
  name: string,
): (args: A) => string {
  checkType('key', key, ['string', 'function'])
  checkType('keyBuilder', keyBuilder, ['function'])
  if (typeof key === 'function') {
    if (keyBuilder) throw new TypeError('Expected either a key function or a keyBuilder, got both')
    return (args) => checkKey('key', key(...args))
  }
  if (name === '')
    throw new TypeError('Expected a named function, or the option key, to make keys that are unique')
  if (keyBuilder) return (args) => checkKey('keyBuilder', keyBuilder(name, args))
  const checked = wellFormedKey(name)
  return (args) => callKey(checked, args)
}

function tagMaker<A extends readonly unknown[]>(tags: Tags<A>): (args: A) => readonly string[] {
  if (typeof tags === 'function') return (args) => distinctTags(tags(...args))
  const distinct = distinctTags(tags)
  return () => distinct
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
