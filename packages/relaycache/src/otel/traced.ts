import { SpanStatusCode, trace, type TracerProvider } from '@opentelemetry/api'
import type { MaybePromise } from '../backend.ts'
import { checkOptionNames } from '../options.ts'

/** How {@link traced} traces. */
export interface TracedOptions {
  /** @default the global one */
  readonly tracerProvider?: TracerProvider | undefined
}

/**
 * A function that runs in a span with the function's name. Given to `cache`, it makes a span for each computation, and
 * none for a hit; its parent is the span of the caller that computed, and what the function does is its child.
 *
 * @throws {TypeError} for an unknown option
 * @example
 * const getBook = cache({ ttl: '30m' }, traced(async function getBook(id: number) {
 *   return db.books.find(id)
 * }))
 */
export function traced<A extends unknown[], T>(
  fn: (...args: A) => MaybePromise<T>,
  options: TracedOptions = {},
): (...args: A) => Promise<T> {
  checkOptionNames('traced', options, ['tracerProvider'])
  const { tracerProvider = trace } = options
  const run = (...args: A): Promise<T> =>
    tracerProvider
      .getTracer('@outrider/relaycache')
      .startActiveSpan(fn.name || 'computation', async (span) => {
        try {
          return await fn(...args)
        } catch (error) {
          span.recordException(error instanceof Error ? error : String(error))
          span.setStatus({ code: SpanStatusCode.ERROR })
          throw error
        } finally {
          span.end()
        }
      })
  return Object.defineProperty(run, 'name', { value: fn.name })
}
