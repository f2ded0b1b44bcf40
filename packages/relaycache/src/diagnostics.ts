import { channel, type Channel } from 'node:diagnostics_channel'
import type { CacheBackend, MaybePromise } from './backend.ts'
import type { ReadEvent, RefreshFailedEvent } from './cached-function.ts'
import type { InvalidatingOperation, RelayCacheError } from './errors.ts'
import type { BreakerState } from './breaker-state.ts'

/** A cached function has run, on behalf of everyone who waits for it. */
export interface ComputeEvent {
  readonly backend: CacheBackend
  /** Of the cached function. */
  readonly name: string
  readonly key: string
  /** From the call of the function until its promise settled. */
  readonly durationMs: number
  /** What it threw; absent when it gave a value. */
  readonly error?: unknown
}

/** Values were taken out of a backend by this process. */
export interface InvalidateEvent {
  readonly backend: CacheBackend
  readonly operation: InvalidatingOperation
  /** Of `invalidateTags`; empty for the other operations. */
  readonly tags: readonly string[]
  /** Of `delete`. */
  readonly key?: string | undefined
  /** Why it is not confirmed; absent when it is. */
  readonly error?: unknown
}

/** What `onError` hears. */
export interface ErrorEvent {
  readonly backend: CacheBackend | undefined
  readonly error: RelayCacheError
}

/** The circuit breaker of a backend has another state. */
export interface BreakerEvent {
  readonly backend: CacheBackend
  readonly state: BreakerState
}

/**
 * The channels of `node:diagnostics_channel` that this package publishes on, with what subscribers receive. Events are
 * made only while a channel has subscribers.
 *
 * @example
 * type Name = keyof DiagnosticEvents
 * subscribe('relaycache:compute' satisfies Name, (message) => {
 *   const { name, durationMs } = message as DiagnosticEvents['relaycache:compute']
 * })
 */
export interface DiagnosticEvents {
  readonly 'relaycache:read': ReadEvent
  readonly 'relaycache:compute': ComputeEvent
  readonly 'relaycache:refresh-failed': RefreshFailedEvent
  readonly 'relaycache:invalidate': InvalidateEvent
  readonly 'relaycache:error': ErrorEvent
  readonly 'relaycache:breaker': BreakerEvent
}

/** The channel of a kind of event. */
export function channelOf<Name extends keyof DiagnosticEvents>(
  name: Name,
): Channel<unknown, DiagnosticEvents[Name]> {
  return channel(name) as Channel<unknown, DiagnosticEvents[Name]>
}

const computeChannel = channelOf('relaycache:compute')
const invalidateChannel = channelOf('relaycache:invalidate')

/** Runs a computation, and publishes how long it took if anybody listens. */
export function publishComputation<T>(
  facts: Pick<ComputeEvent, 'backend' | 'name' | 'key'>,
  compute: () => MaybePromise<T>,
): MaybePromise<T> {
  return computeChannel.hasSubscribers ? timed(facts, compute) : compute()
}

async function timed<T>(
  { backend, name, key }: Pick<ComputeEvent, 'backend' | 'name' | 'key'>,
  compute: () => MaybePromise<T>,
): Promise<T> {
  const began = performance.now()
  const publish = (failure: { error?: unknown }): void =>
    computeChannel.publish({ backend, name, key, durationMs: performance.now() - began, ...failure })
  try {
    const value = await compute()
    publish({})
    return value
  } catch (error) {
    publish({ error })
    throw error
  }
}

/** Runs an invalidation, and publishes what came of it if anybody listens. */
export async function publishInvalidation(
  facts: Omit<InvalidateEvent, 'error'>,
  invalidate: () => MaybePromise<void>,
): Promise<void> {
  try {
    await invalidate()
    if (invalidateChannel.hasSubscribers) invalidateChannel.publish(facts)
  } catch (error) {
    if (invalidateChannel.hasSubscribers) invalidateChannel.publish({ ...facts, error })
    throw error
  }
}
