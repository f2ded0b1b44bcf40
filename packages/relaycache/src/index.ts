export { cache } from './cache.ts'
export type { CachedFunction, LookupStatus, Outcome, ReadEvent } from './cache.ts'
export type { CacheOptions } from './cache-options.ts'
export { invalidate } from './invalidate.ts'
export type { Invalidated, InvalidateOptions } from './invalidate.ts'
export { getDefaultBackend, setDefaultBackend } from './default-backend.ts'
export { InMemoryCache } from './memory/in-memory-cache.ts'
export type { InMemoryCacheOptions, InMemoryCacheStats } from './memory/in-memory-cache.ts'
export type { Isolation } from './memory/isolation.ts'
export { hashKey } from './keys.ts'
export {
  BackendError,
  DeadlineExceededError,
  InvalidationUnconfirmedError,
  isRelayCacheError,
  RelayCacheError,
  RelayCacheErrorCode,
  UnsupportedKeyError,
  UnsupportedValueError,
} from './errors.ts'
export type { InvalidatingOperation } from './errors.ts'
export type {
  CacheBackend,
  CacheStats,
  Capture,
  Counters,
  Lookup,
  MaybePromise,
  Read,
  Shared,
} from './backend.ts'
export type { Duration, Ttl } from './duration.ts'
export type { OnError } from './reporter.ts'
export type { SetOptions } from './set-options.ts'
export type { Tags } from './tags.ts'
