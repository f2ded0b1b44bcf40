import { channel } from 'node:diagnostics_channel'
import type { CacheBackend, Capture, Lookup, MaybePromise, Read, Shared } from './backend.ts'
import { resolveCacheOptions, type CacheOptions } from './cache-options.ts'
import { flightsOf, moment } from './flights.ts'
import { describe } from './options.ts'

/** Where a value came from: the cache, the function, or a run of the function that another caller had begun. */
export type LookupStatus = 'hit' | 'miss' | 'coalesced'

/** A value and where it came from. */
export interface Outcome<T> {
  readonly value: T
  readonly status: LookupStatus
}

/** What subscribers of the `node:diagnostics_channel` named `relaycache:read` receive after every lookup. */
export interface ReadEvent {
  readonly key: string
  readonly status: LookupStatus
}

/** A function whose results are cached. Call it like the original; it always gives a promise. */
export interface CachedFunction<A extends readonly unknown[], T> {
  /** The cached value, or else the result of the function. Rejects with the function's error, which is not cached. */
  (...args: A): Promise<T>
  /** Like a call, and says where the value came from. */
  lookup(...args: A): Promise<Outcome<T>>
  /** The cached value if there is one. Never runs the function. */
  peek(...args: A): Promise<Lookup<T>>
  /**
   * Runs the function and stores the result in place of the cached one, which is served until then. Computations
   * of the same arguments that began earlier are not stored any more. Refreshes that are called together share one run.
   */
  refresh(...args: A): Promise<T>
  /**
   * Takes the value of these arguments out of the cache, as exactly as {@link invalidate} does.
   * @throws {InvalidationUnconfirmedError} when the backend did not confirm
   */
  invalidate(...args: A): Promise<void>
  /** The key of these arguments. @throws {UnsupportedKeyError} when there is none */
  keyOf(...args: A): string
}

/** `A`, to be inferred elsewhere. (`NoInfer` does not take optional parameters.) */
type Known<A extends unknown[]> = A extends unknown[] ? A : never

const readChannel = channel('relaycache:read')

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
  options: CacheOptions<Known<A>>,
  fn: (...args: A) => R,
): CachedFunction<A, Awaited<R>>
/** The same in two steps: `cache(options)(fn)`. */
export function cache<O extends unknown[]>(
  options: CacheOptions<O>,
): <A extends [...O, ...unknown[]], R>(fn: (...args: A) => R) => CachedFunction<A, Awaited<R>>
export function cache<A extends unknown[], T>(
  options: CacheOptions<A>,
  fn?: (...args: A) => MaybePromise<T>,
): unknown {
  return fn === undefined
    ? (given: (...args: A) => MaybePromise<T>) => wrap(options, given)
    : wrap(options, fn)
}

/** One call of a cached function. */
interface Call<A> {
  readonly args: A
  readonly backend: CacheBackend
  readonly key: string
  readonly began: number
}

function wrap<A extends unknown[], T>(
  options: CacheOptions<A>,
  fn: (...args: A) => MaybePromise<T>,
): CachedFunction<A, T> {
  if (typeof fn !== 'function') throw new TypeError(`Expected a function to cache, got ${describe(fn)}`)
  const { name, ttlMs, ...resolved } = resolveCacheOptions(options, fn.name)

  const begin = (args: A): Call<A> => ({
    args,
    backend: resolved.backend(),
    key: resolved.key(args),
    began: moment(),
  })

  const lookup = (args: A): MaybePromise<Outcome<T>> => {
    const call = begin(args)
    const read = call.backend.read(call.key, () => resolved.tags(args), ttlMs)
    return read instanceof Promise ? read.then((found) => settle(call, found)) : settle(call, read)
  }

  const settle = (call: Call<A>, read: Read): MaybePromise<Outcome<T>> => {
    if (!read.hit) return join(call, read.capture)
    call.backend.counters.hits += 1
    return conclude(call, read.value, 'hit')
  }

  const join = async (call: Call<A>, capture: Capture | undefined): Promise<Outcome<T>> => {
    const { counters } = call.backend
    const running = findRunning(call, capture)
    counters[running ? 'coalesced' : 'misses'] += 1
    return running
      ? conclude(call, (await running).copy(), 'coalesced')
      : conclude(call, (await compute(call, capture)).own, 'miss')
  }

  const compute = (call: Call<A>, capture: Capture | undefined): Promise<Shared> =>
    flightsOf(call.backend).start(flightId(call, capture), async () => {
      try {
        return await call.backend.store(capture, await fn(...call.args), ttlMs)
      } finally {
        if (capture) call.backend.release(capture)
      }
    })

  /** A refresh wants the data of its own time: it only shares what begins after it, as refreshes of one moment do. */
  const refresh = async (call: Call<A>): Promise<unknown> => {
    const tags = resolved.tags(call.args)
    const flights = flightsOf(call.backend)
    const id = `refresh ${JSON.stringify([call.key, tags])}`
    const upcoming = flights.find(id, call.began)
    if (upcoming) return (await upcoming).copy()
    const renewed = call.backend.renew(call.key, () => tags, ttlMs)
    const started = flights.start(id, async () => {
      const capture = await renewed
      const running = findRunning(call, capture)
      return running ? forAnother(await running) : compute(call, capture)
    })
    return (await started).own
  }

  const conclude = ({ key }: Call<A>, value: unknown, status: LookupStatus): Outcome<T> => {
    if (readChannel.hasSubscribers) readChannel.publish({ key, status } satisfies ReadEvent)
    return { value: value as T, status }
  }

  /** Not an async function: a hit in memory costs one promise and no suspended frame. */
  const cached = (...args: A): Promise<T> => {
    try {
      const outcome = lookup(args)
      return outcome instanceof Promise ? outcome.then(valueOf) : Promise.resolve(outcome.value)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  return Object.defineProperty(
    Object.assign(cached, {
      lookup: async (...args: A) => lookup(args),
      peek: async (...args: A) => {
        const { backend, key } = begin(args)
        return (await backend.peek(key, () => resolved.tags(args))) as Lookup<T>
      },
      refresh: async (...args: A) => (await refresh(begin(args))) as T,
      invalidate: async (...args: A) => {
        const { backend, key } = begin(args)
        await backend.delete(key)
      },
      keyOf: (...args: A) => resolved.key(args),
    }),
    'name',
    { value: name },
  )
}

function valueOf<T>(outcome: Outcome<T>): T {
  return outcome.value
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
