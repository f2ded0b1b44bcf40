/** Every `code` that an error of this package can carry. */
export const RelayCacheErrorCode = {
  /** The backend did not confirm an invalidation. */
  invalidationUnconfirmed: 'RELAYCACHE_INVALIDATION_UNCONFIRMED',
  /** Fewer replicas than asked for acknowledged an invalidation. */
  replicasBehind: 'RELAYCACHE_REPLICAS_BEHIND',
  /** The backend gave no answer within its deadline. */
  deadlineExceeded: 'RELAYCACHE_DEADLINE_EXCEEDED',
  /** The backend answered with an error or could not be reached. */
  backendFailed: 'RELAYCACHE_BACKEND_FAILED',
  /** An argument cannot be turned into a key. */
  unsupportedKey: 'RELAYCACHE_UNSUPPORTED_KEY',
  /** A value cannot be stored. */
  unsupportedValue: 'RELAYCACHE_UNSUPPORTED_VALUE',
  /** The option `resultTags` gave no tags for a value. */
  resultTagsFailed: 'RELAYCACHE_RESULT_TAGS_FAILED',
} as const

/** One of the values of {@link RelayCacheErrorCode}. */
export type RelayCacheErrorCode = (typeof RelayCacheErrorCode)[keyof typeof RelayCacheErrorCode]

const BRAND = Symbol.for('@outrider/relaycache/error')

/** The base of every error of this package. Messages name options and operations, never keys, tags or values. */
export abstract class RelayCacheError extends Error {
  abstract override readonly name: string
  abstract readonly code: RelayCacheErrorCode

  static {
    Object.defineProperty(this.prototype, BRAND, { value: true })
  }
}

/** Whether `error` is a {@link RelayCacheError}, also when it comes from another copy of this package. */
export function isRelayCacheError(error: unknown): error is RelayCacheError {
  return typeof error === 'object' && error !== null && BRAND in error
}

/** The operations by which a caller takes values out of a cache. */
export type InvalidatingOperation = 'invalidateTags' | 'delete' | 'clear'

/**
 * An invalidation was sent and not confirmed, so other processes may still serve old values. This backend does
 * not: what was invalidated stays poisoned here, and is sent again every second, and once Redis answers again, until
 * it is confirmed or the client is closed.
 */
export class InvalidationUnconfirmedError extends RelayCacheError {
  readonly name = 'InvalidationUnconfirmedError' as const
  readonly code: typeof RelayCacheErrorCode.invalidationUnconfirmed =
    RelayCacheErrorCode.invalidationUnconfirmed
  readonly operation: InvalidatingOperation
  /** The tags of an `invalidateTags`; empty for the other operations. */
  readonly tags: readonly string[]

  constructor(operation: InvalidatingOperation, tags: readonly string[], options: ErrorOptions) {
    super(
      `Redis did not confirm ${operation}; values computed before it may still be served elsewhere`,
      options,
    )
    this.operation = operation
    this.tags = tags
  }
}

/**
 * The `cause` of an {@link InvalidationUnconfirmedError}: the master has executed the invalidation, but within
 * `invalidateDeadline` fewer replicas than `waitReplicas` said that they have, or meanwhile the connection was lost, or it
 * became a replica itself.
 */
export class ReplicasBehindError extends RelayCacheError {
  readonly name = 'ReplicasBehindError' as const
  readonly code: typeof RelayCacheErrorCode.replicasBehind = RelayCacheErrorCode.replicasBehind
  readonly wanted: number
  readonly acknowledged: number

  constructor(wanted: number, acknowledged: number) {
    super(`Expected ${wanted} replicas to acknowledge an invalidation, got ${acknowledged}`)
    this.wanted = wanted
    this.acknowledged = acknowledged
  }
}

/** The backend gave no answer in time. Reads and writes report it to `onError` and go on without the cache. */
export class DeadlineExceededError extends RelayCacheError {
  readonly name = 'DeadlineExceededError' as const
  readonly code: typeof RelayCacheErrorCode.deadlineExceeded = RelayCacheErrorCode.deadlineExceeded
  readonly operation: string
  readonly deadlineMs: number

  constructor(operation: string, deadlineMs: number) {
    super(`Redis gave no answer to ${operation} within ${deadlineMs} ms`)
    this.operation = operation
    this.deadlineMs = deadlineMs
  }
}

/** The backend failed; `cause` says how. Reads and writes report it to `onError` and go on without the cache. */
export class BackendError extends RelayCacheError {
  readonly name = 'BackendError' as const
  readonly code: typeof RelayCacheErrorCode.backendFailed = RelayCacheErrorCode.backendFailed
  readonly operation: string

  constructor(operation: string, options: ErrorOptions) {
    super(`Redis failed at ${operation}`, options)
    this.operation = operation
  }
}

/**
 * Thrown when an argument has no canonical text (a function, a symbol, also as a key, a class instance, a cycle), and
 * for a key with a lone surrogate, which has no UTF-8.
 */
export class UnsupportedKeyError extends RelayCacheError {
  readonly name = 'UnsupportedKeyError' as const
  readonly code: typeof RelayCacheErrorCode.unsupportedKey = RelayCacheErrorCode.unsupportedKey

  constructor(what: string) {
    super(`Cannot make a cache key from ${what}; give a key function that picks plain data`)
  }
}

/**
 * Reported to `onError` when a computed value cannot be stored. The caller has got the value all the same, and whoever
 * joined the run the very same object, since nothing can copy it. `cause` is what was thrown while it was copied, by a
 * getter for instance.
 */
export class UnsupportedValueError extends RelayCacheError {
  readonly name = 'UnsupportedValueError' as const
  readonly code: typeof RelayCacheErrorCode.unsupportedValue = RelayCacheErrorCode.unsupportedValue

  constructor(what: string, options?: ErrorOptions) {
    super(`A value was not stored because it holds ${what}; return plain data`, options)
  }
}

/**
 * Reported to `onError` when the option `resultTags` threw (that is the `cause`) or gave something else than tags (the
 * `cause` is a `TypeError` that says what). The caller has got the value all the same; it is not stored, since no
 * invalidation would find it.
 */
export class ResultTagsError extends RelayCacheError {
  readonly name = 'ResultTagsError' as const
  readonly code: typeof RelayCacheErrorCode.resultTagsFailed = RelayCacheErrorCode.resultTagsFailed
  /** The name of the cached function; empty when it has none. */
  readonly functionName: string

  constructor(functionName: string, options: ErrorOptions) {
    const owner = functionName === '' ? 'a cached function' : functionName
    super(`A value of ${owner} was not stored because its option resultTags gave no tags`, options)
    this.functionName = functionName
  }
}
