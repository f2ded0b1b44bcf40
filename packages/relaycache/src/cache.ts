import { abortable } from './abortable.ts'
import type { CacheBackend, Capture, Lookup, MaybePromise, Read, Shared, Stale } from './backend.ts'
import { resolveCacheOptions, type CacheOptions } from './cache-options.ts'
import type { CachedFunction, CallOptions, LookupStatus, Outcome } from './cached-function.ts'
import { channelOf, publishComputation } from './diagnostics.ts'
import { failuresOf } from './failures.ts'
import { flightsOf, moment } from './flights.ts'
import { perClass, type Method } from './method.ts'
import { checkOptionNames, describe } from './options.ts'
import { reporterOf } from './reporter.ts'
import { isDue, LATE, withinMs } from './stale.ts'

/** `A`, to be inferred elsewhere. (`NoInfer` does not take optional parameters.) */
type Known<A extends unknown[]> = A extends unknown[] ? A : never

const readChannel = channelOf('relaycache:read')
const refreshFailedChannel = channelOf('relaycache:refresh-failed')

/**
 * Caches the results of a function by its arguments. `null` and `undefined` are cached, exceptions are not.
 * Concurrent calls with the same arguments run the function once; a call that begins after an invalidation never
 * gets a result whose computation began before it. When the backend is down, calls run the function.
 *
 * @throws {TypeError} for an unknown or ill-typed option, or an anonymous function without a key
 * @throws {RangeError} when `ttl` is missing or out of range
 * @example
 * const getBook = cache(
 *   { ttl: '30m', tags: (id: number) => [`book:${id}`, 'books'] },
 *   async function getBook(id: number) {
 *     return db.books.find(id)
 *   },
 * )
 * await getBook(1)
 */
export function cache<A extends unknown[], R>(
  options: CacheOptions<Known<A>, NoInfer<Awaited<R>>>,
  fn: (...args: A) => R,
): CachedFunction<A, Awaited<R>>
/** The same in two steps, `cache(options)(fn)`, or as a decorator of a method, `@cache(options)`. */
export function cache<O extends unknown[], V = unknown>(options: CacheOptions<O, V>): CacheWrapper<O, V>
export function cache<A extends unknown[], T>(
  options: CacheOptions<A, never>,
  fn?: (...args: A) => MaybePromise<T>,
): unknown {
  if (fn !== undefined) return wrap(options, fn)
  return (given: Method<unknown, A, T>, context?: ClassMethodDecoratorContext) => {
    if (!context) return wrap(options, given)
    if (typeof context !== 'object')
      throw new TypeError(
        'Expected @cache to be compiled as a standard decorator; take experimentalDecorators out of tsconfig.json',
      )
    if (context.kind !== 'method')
      throw new TypeError(`Expected @cache to decorate a method, got a ${String(context.kind)}`)
    resolveCacheOptions(options, String(context.name))
    return perClass(
      context.name,
      (bound, nameOf) => wrap(options, bound, options.key === undefined ? nameOf() : ''),
      given,
    )
  }
}

/** What is left of `cache` once it has its options: wraps a function, or decorates a method. */
export interface CacheWrapper<O extends unknown[], V = unknown> {
  /**
   * Caches an asynchronous method by its arguments, for all objects of a class together: the result must not depend on
   * the object. Values go by their tags. Without the option `key` the class needs a name.
   */
  <This, A extends [...O, ...unknown[]], T extends V>(
    method: Method<This, A, T>,
    context: ClassMethodDecoratorContext<This, Method<This, A, T>>,
  ): Method<This, A, T>
  /** Caches a function. */
  <A extends [...O, ...unknown[]], R extends MaybePromise<V>>(
    fn: (...args: A) => R,
  ): CachedFunction<A, Awaited<R>>
}

/** One call of a cached function. */
interface Call<A> {
  readonly args: A
  readonly backend: CacheBackend
  readonly key: string
  readonly began: number
}

function wrap<A extends unknown[], T>(
  options: CacheOptions<A, never>,
  fn: (...args: A) => MaybePromise<T>,
  givenName?: string,
): CachedFunction<A, T> {
  if (typeof fn !== 'function') throw new TypeError(`Expected a function to cache, got ${describe(fn)}`)
  const resolved = resolveCacheOptions(options, givenName ?? fn.name)
  const { lifeMs, errorTtlMs, graceMs, softTimeoutMs, earlyRefresh, bypass } = resolved
  const isTimed = graceMs > 0 || earlyRefresh
  const openTags = resolved.resultTags !== undefined

  const begin = (args: A): Call<A> => ({
    args,
    backend: resolved.backend(),
    key: resolved.key(args),
    began: moment(),
  })

  const lookup = <X>(args: A, pick: (outcome: Outcome<T>) => X): MaybePromise<X> => {
    if (bypass?.()) return runAlone(args).then(pick)
    const call = begin(args)
    const read = call.backend.read(call.key, () => resolved.tags(args), lifeMs, openTags)
    return read instanceof Promise
      ? read.then((found) => picked(settle(call, found), pick))
      : picked(settle(call, read), pick)
  }

  const settle = (call: Call<A>, read: Read): MaybePromise<Outcome<T>> => {
    if (!read.hit) return miss(call, read.capture, read.stale)
    call.backend.counters.hits += 1
    if (earlyRefresh && read.timing && isDue(read.timing)) refreshEarly(call)
    return conclude(call, read.value, 'hit')
  }

  const miss = (
    call: Call<A>,
    capture: Capture | undefined,
    stale: Stale | undefined,
  ): MaybePromise<Outcome<T>> => {
    if (stale && (stale.soft || resolved.staleWhileRevalidate)) {
      // Without a capture nothing can be stored: a run would be of no use to anyone.
      if (capture) inBackground(call, run(call, capture))
      else call.backend.counters.misses += 1
      return conclude(call, stale.value, 'stale')
    }
    return stale && graceMs > 0 ? runOrStale(call, capture) : runAndConclude(call, capture)
  }

  const runAlone = async (args: A): Promise<Outcome<T>> => ({ value: await fn(...args), status: 'bypass' })

  const runAndConclude = async (call: Call<A>, capture: Capture | undefined): Promise<Outcome<T>> => {
    const { value, status } = await run(call, capture)
    return conclude(call, value, status)
  }

  /** Where there is a stale value. It may have been invalidated while the function ran, so it is looked up again. */
  const runOrStale = async (call: Call<A>, capture: Capture | undefined): Promise<Outcome<T>> => {
    const running = run(call, capture)
    const outcome = await (softTimeoutMs === undefined ? running : withinMs(running, softTimeoutMs)).catch(
      (error: unknown) => ({ error }),
    )
    if (outcome !== LATE && 'status' in outcome) return conclude(call, outcome.value, outcome.status)
    const stale = await call.backend.peek(call.key, () => resolved.tags(call.args), true)
    if (stale.hit) {
      if (outcome === LATE) inBackground(call, running)
      return conclude(call, stale.value, 'stale')
    }
    const { value, status } = await running
    return conclude(call, value, status)
  }

  const inBackground = ({ key }: Call<A>, running: Promise<unknown>): void => {
    running.catch((error: unknown) => {
      if (refreshFailedChannel.hasSubscribers) refreshFailedChannel.publish({ key, error })
    })
  }

  /** Runs the function, or joins one who does. */
  const run = async (call: Call<A>, capture: Capture | undefined): Promise<Outcome<unknown>> => {
    const { counters } = call.backend
    const running = findRunning(call, capture) ?? findFailed(call, capture)
    counters[running ? 'coalesced' : 'misses'] += 1
    return running
      ? { value: (await running).copy(), status: 'coalesced' }
      : { value: (await compute(call, capture)).own, status: 'miss' }
  }

  /** An error that is kept counts as a run that one can still join. */
  const findFailed = ({ backend }: Call<A>, capture: Capture | undefined): Promise<Shared> | undefined => {
    if (errorTtlMs === undefined || !capture) return undefined
    const failure = failuresOf(backend).find(capture.flight)
    return failure && Promise.reject(failure.error)
  }

  const compute = (call: Call<A>, capture: Capture | undefined): Promise<Shared> =>
    flightsOf(call.backend).start(flightId(call, capture), () => {
      const { singleflight } = resolved
      if (!singleflight || !capture || !call.backend.lead) return execute(call, capture)
      const computation = {
        key: call.key,
        tags: () => resolved.tags(call.args),
        ttlMs: lifeMs,
        openTags,
        ...singleflight,
      }
      return call.backend.lead(capture, computation, (led) => execute(call, led))
    })

  const execute = async (call: Call<A>, capture: Capture | undefined): Promise<Shared> => {
    const { backend } = call
    let release = capture && (() => backend.release(capture))
    try {
      const began = isTimed ? performance.now() : 0
      const facts = { backend, name: resolved.name, key: call.key }
      const value = await publishComputation(facts, () => fn(...call.args))
      const resultTags = resolved.resultTags?.(value, call.args, reporterOf(backend))
      const storeOptions = (isTimed || openTags) && {
        timing: isTimed ? { graceMs, computeMs: performance.now() - began } : undefined,
        resultTags,
      }
      // Without its tags no invalidation would find the value: it is handed out, and not stored.
      const usable = openTags && !resultTags ? undefined : capture
      return await backend.store(usable, value, resolved.ttlMsOf(value), storeOptions || undefined)
    } catch (error) {
      if (errorTtlMs !== undefined && capture && release) {
        failuresOf(backend).keep(capture, error, { forMs: errorTtlMs, release })
        release = undefined
      }
      throw error
    } finally {
      release?.()
    }
  }

  /** Other callers wait for nothing here, so it does not matter when the refresh under way began. */
  const refreshEarly = (call: Call<A>): void => {
    const id = refreshId(call.key, resolved.tags(call.args))
    if (!flightsOf(call.backend).has(id)) inBackground(call, refresh(call))
  }

  /** A refresh wants the data of its own time: it only shares what begins after it, as refreshes of one moment do. */
  const refresh = async (call: Call<A>): Promise<unknown> => {
    const tags = resolved.tags(call.args)
    const flights = flightsOf(call.backend)
    const id = refreshId(call.key, tags)
    const upcoming = flights.find(id, call.began)
    if (upcoming) return (await upcoming).copy()
    const renewed = call.backend.renew(call.key, () => tags, lifeMs, openTags)
    const started = flights.start(id, async () => {
      const capture = await renewed
      const running = findRunning(call, capture)
      return running ? forAnother(await running) : compute(call, capture)
    })
    return (await started).own
  }

  const conclude = ({ key }: Call<A>, value: unknown, status: LookupStatus): Outcome<T> => {
    if (readChannel.hasSubscribers) readChannel.publish({ key, status })
    return { value: value as T, status }
  }

  /** Not an async function: a hit in memory costs one promise and no suspended frame. */
  const cached = (...args: A): Promise<T> => {
    try {
      const value = lookup(args, valueOf)
      return value instanceof Promise ? value : Promise.resolve(value)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  return Object.defineProperty(
    Object.assign(cached, {
      lookup: async (...args: A) => lookup(args, outcomeOf),
      with: (callOptions: CallOptions) => {
        checkOptionNames('with', callOptions, ['signal'])
        return (...args: A) => abortable(callOptions.signal, () => cached(...args))
      },
      many: (calls: readonly A[]) => Promise.all(calls.map((args) => cached(...args))),
      peek: async (...args: A): Promise<Lookup<T>> => {
        if (bypass?.()) return { hit: false }
        const { backend, key } = begin(args)
        return (await backend.peek(key, () => resolved.tags(args))) as Lookup<T>
      },
      refresh: async (...args: A) => (bypass?.() ? fn(...args) : ((await refresh(begin(args))) as T)),
      invalidate: async (...args: A) => {
        const { backend, key } = begin(args)
        await backend.delete(key)
      },
      keyOf: (...args: A) => resolved.key(args),
    }),
    'name',
    { value: resolved.name },
  )
}

function refreshId(key: string, tags: readonly string[]): string {
  return `refresh ${JSON.stringify([key, tags])}`
}

function valueOf<T>(outcome: Outcome<T>): T {
  return outcome.value
}

function outcomeOf<T>(outcome: Outcome<T>): Outcome<T> {
  return outcome
}

function picked<O, X>(outcome: MaybePromise<O>, pick: (outcome: O) => X): MaybePromise<X> {
  return outcome instanceof Promise ? outcome.then(pick) : pick(outcome)
}

/** A computation under way that the caller may join. A renewed capture is younger than the call, and proves as much. */
function findRunning(call: Call<unknown>, capture: Capture | undefined): Promise<Shared> | undefined {
  return flightsOf(call.backend).find(flightId(call, capture), capture ? -Infinity : call.began)
}

/** What one of those who joined gets, in place of the one who computed. */
function forAnother(shared: Shared): Shared {
  return { own: shared.copy(), copy: () => shared.copy() }
}

/** A capture tells flights apart by what was invalidated between them; without one there is only the key. */
function flightId(call: Call<unknown>, capture: Capture | undefined): unknown {
  return capture ? capture.flight : call.key
}
