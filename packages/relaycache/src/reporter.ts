import { inspect } from 'node:util'
import type { RelayCacheError } from './errors.ts'

/**
 * Called with each failure that a cache survives: a late or failing backend, a value that cannot be stored. What it
 * throws becomes a process warning. @default one process warning for each kind of error
 */
export type OnError = (error: RelayCacheError) => void

/** The given listener, or one that emits a process warning the first time an error code occurs. */
export function createReporter(onError: OnError | undefined): OnError {
  if (onError) {
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
