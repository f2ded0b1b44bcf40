import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { metrics, type MeterProvider } from '@opentelemetry/api'
import type { CacheBackend } from '../backend.ts'
import { BREAKER_STATES } from '../breaker-state.ts'
import { checkBackend } from '../default-backend.ts'
import type { ComputeEvent, DiagnosticEvents } from '../diagnostics.ts'
import { checkOptionNames } from '../options.ts'

/** What {@link instrumentCaches} measures. */
export interface InstrumentCachesOptions {
  /** The backends with the names that become the attribute `relaycache.backend`. */
  readonly backends: Readonly<Record<string, CacheBackend>>
  /** @default the global one */
  readonly meterProvider?: MeterProvider | undefined
}

/** Ends when it is closed. */
export interface Instrumentation extends Disposable {
  close(): void
}

const COMPUTE: keyof DiagnosticEvents = 'relaycache:compute'
/** Those that the semantic conventions advise for seconds. */
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/**
 * Reports backends through the metrics API of OpenTelemetry: `relaycache.lookups` (attribute `relaycache.status`),
 * `relaycache.errors`, `relaycache.breaker` (1 for the current `relaycache.state`, else 0) and the histogram
 * `relaycache.computation.duration` in seconds (`relaycache.function`, and `error.type` for those that failed). Reading
 * the counters costs a lookup nothing. Keys and tags are not reported.
 *
 * @throws {TypeError} for an unknown option, or when one is not a backend
 * @example
 * const instrumentation = instrumentCaches({ backends: { books: backend } })
 */
export function instrumentCaches(options: InstrumentCachesOptions): Instrumentation {
  checkOptionNames('instrumentCaches', options, ['backends', 'meterProvider'])
  const { backends, meterProvider = metrics } = options
  const named = Object.entries(backends).map(([name, backend]) => [name, checkBackend(backend)] as const)
  const meter = meterProvider.getMeter('@outrider/relaycache')
  const lookups = meter.createObservableCounter('relaycache.lookups', {
    unit: '{lookup}',
    description: 'Lookups by what came of them',
  })
  const errors = meter.createObservableCounter('relaycache.errors', {
    unit: '{error}',
    description: 'Operations of the backend that failed or were late',
  })
  const breaker = meter.createObservableUpDownCounter('relaycache.breaker', {
    unit: '1',
    description: 'The state of the circuit breaker: 1 for the current one, else 0',
  })
  const durations = meter.createHistogram('relaycache.computation.duration', {
    unit: 's',
    description: 'How long cached functions run',
    advice: { explicitBucketBoundaries: BUCKETS_S },
  })

  const observables = [lookups, errors, breaker]
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    for (const [name, backend] of named) {
      const attributes = { 'relaycache.backend': name }
      const { hits, misses, coalesced } = backend.counters
      for (const [status, count] of Object.entries({ hit: hits, miss: misses, coalesced })) {
        result.observe(lookups, count, { ...attributes, 'relaycache.status': status })
      }
      result.observe(errors, backend.counters.errors, attributes)
      if (backend.breaker === undefined) continue
      for (const state of BREAKER_STATES) {
        const isCurrent = state === backend.breaker
        result.observe(breaker, isCurrent ? 1 : 0, { ...attributes, 'relaycache.state': state })
      }
    }
  }
  const record = (message: unknown): void => {
    const event = message as ComputeEvent
    const name = named.find(([, backend]) => backend === event.backend)?.[0]
    if (name === undefined) return
    durations.record(event.durationMs / 1000, {
      'relaycache.backend': name,
      'relaycache.function': event.name,
      ...('error' in event ? { 'error.type': errorType(event.error) } : {}),
    })
  }

  meter.addBatchObservableCallback(observe, observables)
  subscribe(COMPUTE, record)
  const close = (): void => {
    meter.removeBatchObservableCallback(observe, observables)
    unsubscribe(COMPUTE, record)
  }
  return { close, [Symbol.dispose]: close }
}

function errorType(error: unknown): string {
  return error instanceof Error ? error.name : '_OTHER'
}
