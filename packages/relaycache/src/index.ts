export { cache } from './cache.ts'
export type { CacheWrapper } from './cache.ts'
export type {
  CachedFunction,
  CallOptions,
  LookupStatus,
  Outcome,
  ReadEvent,
  RefreshFailedEvent,
} from './cached-function.ts'
export type { CacheOptions } from './cache-options.ts'
export { invalidate } from './invalidate.ts'
export type { Invalidated, InvalidateOptions } from './invalidate.ts'
export { getDefaultBackend, setDefaultBackend } from './default-backend.ts'
export { InMemoryCache } from './memory/in-memory-cache.ts'
export type { InMemoryCacheOptions, InMemoryCacheStats } from './memory/in-memory-cache.ts'
export type { Isolation } from './memory/isolation.ts'
export { PROMETHEUS_CONTENT_TYPE, prometheusText } from './prometheus.ts'
export { hashKey } from './keys.ts'
export {
  BackendError,
  DeadlineExceededError,
  InvalidationUnconfirmedError,
  isRelayCacheError,
  RelayCacheError,
  RelayCacheErrorCode,
  ReplicasBehindError,
  ResultTagsError,
  UnsupportedKeyError,
  UnsupportedValueError,
} from './errors.ts'
export type { InvalidatingOperation } from './errors.ts'
export type {
  CacheBackend,
  CacheStats,
  Capture,
  Computation,
  Counters,
  InvalidateTagsOptions,
  Lookup,
  MaybePromise,
  Read,
  Shared,
  Stale,
  StoreOptions,
  Timing,
} from './backend.ts'
export type { BreakerState } from './breaker-state.ts'
export type {
  BreakerEvent,
  ComputeEvent,
  DiagnosticEvents,
  ErrorEvent,
  InvalidateEvent,
} from './diagnostics.ts'
export type { Duration, Ttl } from './duration.ts'
export type { OnError } from './reporter.ts'
export type { SetOptions } from './set-options.ts'
export type { Tags } from './tags.ts'
