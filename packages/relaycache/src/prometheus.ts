import type { CacheBackend } from './backend.ts'
import { checkBackend } from './default-backend.ts'
import { BREAKER_STATES } from './breaker-state.ts'

/** The media type of {@link prometheusText}. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** The samples of one backend, each with what follows the label `backend`. */
  readonly samples: (backend: CacheBackend) => readonly (readonly [labels: string, value: number])[]
}

const METRICS: readonly Metric[] = [
  {
    name: 'relaycache_lookups_total',
    type: 'counter',
    help: 'Lookups by what came of them.',
    samples: ({ counters: { hits, misses, coalesced } }) => [
      [',status="hit"', hits],
      [',status="miss"', misses],
      [',status="coalesced"', coalesced],
    ],
  },
  {
    name: 'relaycache_errors_total',
    type: 'counter',
    help: 'Operations of the backend that failed or were late.',
    samples: ({ counters }) => [['', counters.errors]],
  },
  {
    name: 'relaycache_breaker_state',
    type: 'gauge',
    help: 'The state of the circuit breaker: 1 for the current one, else 0.',
    samples: ({ breaker }) =>
      breaker === undefined
        ? []
        : BREAKER_STATES.map((state) => [`,state="${state}"`, state === breaker ? 1 : 0] as const),
  },
]

/**
 * The counters of backends in the text format of Prometheus, each with its name as label `backend`. They are those of
 * this process; Redis is not asked.
 *
 * @throws {TypeError} when one is not a backend
 * @example
 * app.get('/metrics', (request, reply) => reply.type(PROMETHEUS_CONTENT_TYPE).send(prometheusText({ books: backend })))
 */
export function prometheusText(backends: Readonly<Record<string, CacheBackend>>): string {
  const named = Object.entries(backends).map(
    ([name, backend]) => [escapeLabel(name), checkBackend(backend)] as const,
  )
  return METRICS.map(({ name, type, help, samples }) => {
    const lines = named.flatMap(([backendName, backend]) =>
      samples(backend).map(([labels, value]) => `${name}{backend="${backendName}"${labels}} ${value}\n`),
    )
    return lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
  }).join('')
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
