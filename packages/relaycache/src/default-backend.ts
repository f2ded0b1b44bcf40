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

/** @throws {TypeError} when `backend` is not a backend */
export function checkBackend(backend: unknown): CacheBackend {
  if (typeof backend === 'object' && backend !== null && 'read' in backend && 'store' in backend) {
    return backend as CacheBackend
  }
  throw new TypeError(
    `Expected backend to be a cache backend such as new InMemoryCache(), got ${describe(backend)}`,
  )
}
