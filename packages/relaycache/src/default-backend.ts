import type { CacheBackend } from './backend.ts'
import { InMemoryCache } from './memory/in-memory-cache.ts'
import { describe } from './options.ts'

/** On `globalThis`, so that the ESM and the CJS copy of this package share one backend. */
const REGISTRY = Symbol.for('@outrider/relaycache/default-backend')

const registry = globalThis as { [REGISTRY]?: CacheBackend }

/** The backend used where none is given: an {@link InMemoryCache} with a `defaultTtl` of 300 s until one is set. */
export function getDefaultBackend(): CacheBackend {
  return (registry[REGISTRY] ??= new InMemoryCache({ defaultTtl: 300 }))
}

/**
 * Sets the backend used where none is given, also by functions that are already wrapped.
 *
 * @throws {TypeError} when it is not a backend
 */
export function setDefaultBackend(backend: CacheBackend): void {
  registry[REGISTRY] = checkBackend(backend)
}

const METHODS = [
  'get',
  'set',
  'delete',
  'has',
  'clear',
  'invalidateTags',
  'stats',
  'peek',
  'read',
  'renew',
  'store',
  'release',
] as const satisfies readonly (keyof CacheBackend)[]

/** @throws {TypeError} when `backend` is not a backend, saying what it lacks */
export function checkBackend(backend: unknown): CacheBackend {
  const expected = 'Expected backend to be a cache backend such as new InMemoryCache(), got'
  if (typeof backend !== 'object' || backend === null) throw new TypeError(`${expected} ${describe(backend)}`)
  const given = backend as Partial<CacheBackend>
  const missing: string[] = METHODS.filter((name) => typeof given[name] !== 'function')
  if (typeof given.counters !== 'object') missing.push('counters')
  if (missing.length === 0) return given as CacheBackend
  if ('mgetBuffer' in backend)
    throw new TypeError(`${expected} an ioredis client; give new RedisCache(client)`)
  throw new TypeError(`${expected} an object without ${missing.join(', ')}`)
}
