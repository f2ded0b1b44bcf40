import {
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Span,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { afterEach, describe, expect, it } from 'vitest'
import { cache, InMemoryCache, type CacheBackend } from '../src/index.ts'
import { instrumentCaches, traced, type Instrumentation } from '../src/otel/index.ts'

describe('instrumentCaches', () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  let instrumentation: Instrumentation | undefined
  afterEach(() => {
    instrumentation?.close()
    exporter.reset()
  })

  async function collect() {
    exporter.reset()
    await meterProvider.forceFlush()
    const [exported] = exporter.getMetrics()
    const metrics = exported?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
    return (name: string) =>
      metrics
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => ({ attributes, value })))
  }

  it('counts what backends do, and times the functions that run', async () => {
    const books = new InMemoryCache()
    const shared: CacheBackend = Object.assign(new InMemoryCache(), { breaker: 'half-open' as const })
    instrumentation = instrumentCaches({ backends: { books, shared }, meterProvider })
    const getBook = cache({ ttl: 60, backend: books }, async function getBook(id: number) {
      if (id === 0) throw new RangeError('no such book')
      return id
    })
    await Promise.all([getBook(1), getBook(1)])
    await getBook(1)
    await getBook(0).catch(() => undefined)
    await cache({ ttl: 60, backend: new InMemoryCache() }, function unknown() {})()

    const metric = await collect()
    const lookups = metric('relaycache.lookups').filter(
      (point) => point.attributes['relaycache.backend'] === 'books',
    )
    expect(lookups.map(({ attributes, value }) => [attributes['relaycache.status'], value])).toEqual([
      ['hit', 1],
      ['miss', 2],
      ['coalesced', 1],
    ])
    expect(metric('relaycache.errors')).toEqual([
      { attributes: { 'relaycache.backend': 'books' }, value: 0 },
      { attributes: { 'relaycache.backend': 'shared' }, value: 0 },
    ])
    expect(metric('relaycache.breaker')).toEqual(
      ['closed', 'open', 'half-open'].map((state) => ({
        attributes: { 'relaycache.backend': 'shared', 'relaycache.state': state },
        value: state === 'half-open' ? 1 : 0,
      })),
    )
    const ran = { 'relaycache.backend': 'books', 'relaycache.function': 'getBook' }
    expect(metric('relaycache.computation.duration')).toMatchObject([
      { attributes: ran, value: { count: 1 } },
      { attributes: { ...ran, 'error.type': 'RangeError' }, value: { count: 1 } },
    ])
  })

  it('ends when it is closed', async () => {
    const backend = new InMemoryCache()
    instrumentCaches({ backends: { closed: backend }, meterProvider }).close()
    await cache({ ttl: 60, backend }, function get() {})()
    const metric = await collect()
    for (const name of ['relaycache.lookups', 'relaycache.computation.duration']) {
      expect(metric(name).filter((point) => point.attributes['relaycache.backend'] === 'closed')).toEqual([])
    }
  })

  it('refuses unknown options, and what is no backend', () => {
    expect(() => instrumentCaches({ backend: {} } as never)).toThrow('did you mean "backends"?')
    expect(() => instrumentCaches({ backends: { a: {} as CacheBackend } })).toThrow('Expected backend to be')
  })
})

describe('traced', () => {
  /** Spans as they end: `name status`. */
  function recorder(): { ended: string[]; tracerProvider: TracerProvider } {
    const ended: string[] = []
    const startActiveSpan = (name: string, run: (span: Span) => unknown): unknown => {
      let status = 'ok'
      const span = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '1'.repeat(16), traceFlags: 1 })
      return run(
        Object.assign(span, {
          recordException: (error: Error) => (status = error.message),
          setStatus: ({ code }: { code: SpanStatusCode }) => (status += ` ${SpanStatusCode[code]}`),
          end: () => void ended.push(`${name} ${status}`),
        }),
      )
    }
    return { ended, tracerProvider: { getTracer: () => ({ startActiveSpan }) as unknown as Tracer } }
  }

  it('makes one span for each computation, and none for a hit', async () => {
    const { ended, tracerProvider } = recorder()
    const getBook = cache(
      { ttl: 60, backend: new InMemoryCache() },
      traced(
        async function getBook(id: number) {
          return { id }
        },
        { tracerProvider },
      ),
    )
    await Promise.all([getBook(1), getBook(1)])
    expect(await getBook(1)).toEqual({ id: 1 })
    expect(getBook.keyOf(1)).toBe('getBook(1)')
    expect(ended).toEqual(['getBook ok'])
  })

  it('tells what went wrong', async () => {
    const { ended, tracerProvider } = recorder()
    const fail = traced(
      function fail(): never {
        throw new Error('no such book')
      },
      { tracerProvider },
    )
    await expect(fail()).rejects.toThrow('no such book')
    expect(ended).toEqual(['fail no such book ERROR'])
  })

  it('runs without a tracer too', async () => {
    expect(await traced(async (x: number) => [x, trace.getSpan(ROOT_CONTEXT)])(1)).toEqual([1, undefined])
  })
})
