import { inspect } from 'node:util'
import type { CacheBackend } from './backend.ts'
import { channelOf } from './diagnostics.ts'
import type { RelayCacheError } from './errors.ts'

/**
 * Called with each failure that a cache survives: a late or failing backend, a value that cannot be stored. What it
 * throws becomes a process warning. @default one process warning for each kind of error
 */
export type OnError = (error: RelayCacheError) => void

const errorChannel = channelOf('relaycache:error')

const reporters = new WeakMap<CacheBackend, OnError>()

/** Publishes errors, and hands them to the listener; without one, the first of each code becomes a process warning. */
export function createReporter(onError: OnError | undefined, backend: CacheBackend): OnError {
  const report = onError ? guarded(onError) : warnOnce()
  const publishAndReport = (error: RelayCacheError): void => {
    if (errorChannel.hasSubscribers) errorChannel.publish({ backend, error })
    report(error)
  }
  reporters.set(backend, publishAndReport)
  return publishAndReport
}

/** What {@link createReporter} made for a backend; one without a listener for a backend that has none. */
export function reporterOf(backend: CacheBackend): OnError {
  return reporters.get(backend) ?? createReporter(undefined, backend)
}

function guarded(onError: OnError): OnError {
  return (error) => {
    try {
      onError(error)
    } catch (thrown) {
      process.emitWarning(`The onError option of a cache threw ${inspect(thrown)}`, {
        type: 'RelayCacheWarning',
        code: 'RELAYCACHE_ON_ERROR',
      })
    }
  }
}

function warnOnce(): OnError {
  const warned = new Set<string>()
  return (error) => {
    if (warned.has(error.code)) return
    warned.add(error.code)
    process.emitWarning(`${error.message}. Give an onError option to see every such error`, {
      type: 'RelayCacheWarning',
      code: error.code,
    })
  }
}
