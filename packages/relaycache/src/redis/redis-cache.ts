import {
  createCounters,
  type CacheBackend,
  type Computation,
  type Counters,
  type InvalidateTagsOptions,
  type Lookup,
  type MaybePromise,
  type Read,
  type Shared,
  type StoreOptions,
} from '../backend.ts'
import type { BreakerState } from '../breaker-state.ts'
import { publishInvalidation } from '../diagnostics.ts'
import { durationToMs, ttlToMs, type Duration, type Ttl } from '../duration.ts'
import { isRelayCacheError } from '../errors.ts'
import { wellFormedKey } from '../keys.ts'
import { checkOptionNames, describe } from '../options.ts'
import { createReporter, type OnError } from '../reporter.ts'
import { resolveSetOptions, type SetOptions } from '../set-options.ts'
import { storable } from '../storable.ts'
import { distinctTags, NO_TAGS } from '../tags.ts'
import { Announcements } from './announcements.ts'
import { checkClient, type RedisClient } from './client.ts'
import { Entries, type Demand, type Put, type RedisCapture } from './entries.ts'
import { Gate } from './gate.ts'
import { KeySpace } from './key-space.ts'
import { Removals } from './removals.ts'
import { checkWaitReplicas, Replicas } from './replicas.ts'
import type { Serializer } from './serializer.ts'
import { Singleflight, type Look } from './singleflight.ts'
import { countKeys, type RedisCacheStats } from './stats.ts'
import { ValueFormat, type Encoded } from './value-format.ts'

/** How a {@link RedisCache} behaves. */
export interface RedisCacheOptions {
  /** Time to live of a `set` that names none. A bare number is seconds. @default 300 */
  readonly defaultTtl?: Ttl | undefined
  /** Put before every key of a value. Caches with different prefixes do not see each other. @default 'relaycache:' */
  readonly valuePrefix?: string | undefined
  /** Put before every key of a tag. Caches with the same one share their tags. @default `${valuePrefix}meta:` */
  readonly metaPrefix?: string | undefined
  /** How long a read or a write may take before the call goes on without Redis. @default '50ms' */
  readonly deadline?: Duration | undefined
  /** How long an invalidation may take before it rejects. @default '2s' */
  readonly invalidateDeadline?: Duration | undefined
  /**
   * How many replicas of each master must have an invalidation before it is confirmed: an integer from 0 to 16. That makes
   * it less likely, and not impossible, that a failover loses one. @default 0
   */
  readonly waitReplicas?: number | undefined
  /**
   * How values become text or bytes. What another one stored is a miss.
   * @default JSON, with the types that it lacks
   */
  readonly serializer?: Serializer | undefined
  /**
   * Values with more bytes than this are stored compressed (Brotli), unless that saves nothing or they have more than
   * 64 MiB. An integer of at least 0, or Infinity for never. Caches with other settings can read them.
   * @default Infinity
   */
  readonly compressAbove?: number | undefined
  /** Called with failures of Redis and values that cannot be stored. @default one process warning for each kind */
  readonly onError?: OnError | undefined
}

const OPTION_NAMES = [
  'defaultTtl',
  'valuePrefix',
  'metaPrefix',
  'deadline',
  'invalidateDeadline',
  'waitReplicas',
  'serializer',
  'compressAbove',
  'onError',
] as const

/** What a backend that is built on a {@link RedisCache} needs of it. */
export interface Internals {
  readonly options: RedisCacheOptions
  readonly entries: Entries
  readonly keys: KeySpace
  readonly gate: Gate
  readonly announcements: Announcements
  readonly report: OnError
}

const internals = new WeakMap<object, Internals>()

/** `undefined` when it is not a {@link RedisCache}. */
export function internalsOf(cache: object): Internals | undefined {
  return internals.get(cache)
}

/**
 * A cache in Redis, shared by all processes. A hit of a cached function costs one round trip, also with tags; `get` and
 * `has` need a second one for a value with tags. The client stays the caller's: it may have a `keyPrefix`, may be a
 * Cluster, and is not closed.
 *
 * @throws {TypeError} for an unknown option, an ill-typed one, or a client that reads from replicas
 * @throws {RangeError} when a time or `waitReplicas` is out of range
 * @example
 * const backend = new RedisCache(new Redis({ enableOfflineQueue: false }), { defaultTtl: '1h', valuePrefix: 'myapp:' })
 */
export class RedisCache<Client extends RedisClient = RedisClient> implements CacheBackend {
  /** The client that was given. */
  readonly client: Client
  readonly counters: Counters = createCounters()
  readonly #defaultTtlMs: number
  readonly #report: OnError
  readonly #format: ValueFormat
  readonly #keys: KeySpace
  readonly #gate: Gate
  readonly #entries: Entries
  readonly #removals: Removals
  readonly #singleflight: Singleflight

  constructor(client: Client, options: RedisCacheOptions = {}) {
    checkOptionNames('RedisCache', options, OPTION_NAMES)
    const {
      defaultTtl = 300,
      valuePrefix = 'relaycache:',
      deadline = '50ms',
      invalidateDeadline = '2s',
      waitReplicas = 0,
    } = options
    const metaPrefix = options.metaPrefix ?? `${valuePrefix}meta:`
    checkText('valuePrefix', valuePrefix)
    checkText('metaPrefix', metaPrefix)
    checkClient(client)
    this.client = client
    this.#defaultTtlMs = ttlToMs('defaultTtl', defaultTtl)
    this.#report = createReporter(options.onError, this)
    this.#format = new ValueFormat(options)
    this.#keys = new KeySpace(valuePrefix, metaPrefix)
    this.#gate = new Gate({
      backend: this,
      client,
      deadlineMs: durationToMs('deadline', deadline),
      counters: this.counters,
      report: this.#report,
      probe: () => client.getBuffer(this.#keys.namespace),
      whenClosed: () => this.#removals.retry(),
    })
    const replicas = new Replicas(client, {
      wanted: checkWaitReplicas(waitReplicas),
      gate: this.#gate,
      deadlineMs: durationToMs('invalidateDeadline', invalidateDeadline),
    })
    const announcements = new Announcements(client, metaPrefix)
    this.#removals = new Removals(client, {
      keys: this.#keys,
      gate: this.#gate,
      replicas,
      announcements,
      forget: (names) => this.#entries.forget(names),
      report: this.#report,
    })
    this.#entries = new Entries(client, {
      keys: this.#keys,
      gate: this.#gate,
      removals: this.#removals,
      format: this.#format,
      announcements,
    })
    this.#singleflight = new Singleflight(client, this.#gate)
    internals.set(this, {
      options,
      entries: this.#entries,
      keys: this.#keys,
      gate: this.#gate,
      announcements,
      report: this.#report,
    })
  }

  get breaker(): BreakerState {
    return this.#gate.state
  }

  async get(key: string): Promise<Lookup> {
    const found = await this.peek(wellFormedKey(key), NO_TAGS)
    this.counters[found.hit ? 'hits' : 'misses'] += 1
    return found
  }

  async set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    const { ttlMs, tags } = resolveSetOptions(options, this.#defaultTtlMs)
    const checkedKey = wellFormedKey(key)
    const encoded = this.#encode(value)
    const capture = encoded && (await this.renew(checkedKey, () => tags, ttlMs))
    return (
      encoded !== undefined &&
      capture !== undefined &&
      (await this.#put(capture, encoded, ttlMs)) !== undefined
    )
  }

  async delete(key: string): Promise<void> {
    const name = this.#keys.value(wellFormedKey(key))
    const facts = { backend: this, operation: 'delete', tags: [], key } as const
    await publishInvalidation(facts, () => this.#removals.remove('delete', [name]))
  }

  async has(key: string): Promise<boolean> {
    return (await this.peek(wellFormedKey(key), NO_TAGS)).hit
  }

  async clear(): Promise<void> {
    const facts = { backend: this, operation: 'clear', tags: [] } as const
    await publishInvalidation(facts, () => this.#removals.remove('clear', [this.#keys.namespace]))
  }

  async invalidateTags(tags: readonly string[], { soft = false }: InvalidateTagsOptions = {}): Promise<void> {
    const distinct = distinctTags(tags)
    const names = distinct.map((tag) => this.#keys.tag(tag))
    const facts = { backend: this, operation: 'invalidateTags', tags: distinct } as const
    await publishInvalidation(facts, () =>
      soft ? this.#removals.soften(names, distinct) : this.#removals.removeTags(names, distinct),
    )
  }

  /** Counts by SCAN over a sample, so the key counts are estimates. They are `null` while Redis does not answer. */
  async stats(): Promise<RedisCacheStats> {
    const isActive = (key: string): Promise<boolean> => this.has(key)
    const counts = await attempt(() => countKeys(this.client, this.#keys, { gate: this.#gate, isActive }))
    return {
      ...(counts ?? { totalKeys: null, activeKeys: null, expiredKeys: null, totalTags: null }),
      approximate: true,
      breaker: this.#gate.state,
      ...this.counters,
    }
  }

  peek(key: string, tags: () => readonly string[], allowStale = false): MaybePromise<Lookup> {
    return this.#entries.trusted(key) ?? this.#peek(key, tags, allowStale)
  }

  read(key: string, tags: () => readonly string[], ttlMs: number, openTags = false): MaybePromise<Read> {
    return this.#entries.trusted(key) ?? this.#read(key, tags, { ttlMs, openTags })
  }

  async #peek(key: string, tags: () => readonly string[], allowStale: boolean): Promise<Lookup> {
    const expected = tags().toSorted()
    const found = await attempt(() => this.#entries.find(key, expected))
    if (found?.hit) return { hit: true, value: found.value }
    return allowStale && found?.stale ? { hit: true, value: found.stale.value } : { hit: false }
  }

  async #read(key: string, tags: () => readonly string[], demand: Demand): Promise<Read> {
    const expected = tags().toSorted()
    return (await attempt(() => this.#look(key, expected, demand))) ?? { hit: false, capture: undefined }
  }

  async renew(
    key: string,
    tags: () => readonly string[],
    ttlMs: number,
    openTags = false,
  ): Promise<RedisCapture | undefined> {
    const expected = tags().toSorted()
    return attempt(() => this.#entries.capture(key, expected, { ttlMs, openTags }))
  }

  async store(
    capture: RedisCapture | undefined,
    value: unknown,
    ttlMs: number,
    options?: StoreOptions,
  ): Promise<Shared> {
    const encoded = this.#encode(value)
    if (!encoded) return { own: value, copy: () => value }
    const put = capture && (await this.#put(capture, encoded, ttlMs, options))
    return put?.shared ?? { own: value, copy: encoded.copy }
  }

  /** Nothing to do: a key that holds a token only expires by itself. */
  release(): void {}

  async lead(
    given: RedisCapture,
    { key, tags, ttlMs, openTags, ...lock }: Computation,
    run: (capture: RedisCapture | undefined) => Promise<Shared>,
  ): Promise<Shared> {
    // A refresh wants a value of its own, and others go on with the one that there is.
    if (given.seenStamp === undefined) return run(given)
    const look = (): Promise<Look> => this.#look(key, tags().toSorted(), { ttlMs, openTags })
    const found = await attempt(() => this.#singleflight.lead(given, { look, ...lock }))
    if (found?.hit) {
      let encoded: Encoded | undefined
      return { own: found.value, copy: () => (encoded ??= this.#format.encode(found.value)).copy() }
    }
    const capture = found ? found.capture : given
    try {
      return await run(capture)
    } finally {
      capture?.lock?.end()
    }
  }

  async #look(key: string, tags: readonly string[], demand: Demand): Promise<Look> {
    const found = await this.#entries.find(key, tags)
    if (found.hit) return found
    const capture = (): Promise<RedisCapture> => this.#entries.capture(key, tags, demand, found)
    const { stale } = found
    return stale
      ? { hit: false, capture: await attempt(capture), stale }
      : { hit: false, capture: await capture() }
  }

  #put(
    capture: RedisCapture,
    encoded: Encoded,
    ttlMs: number,
    options?: StoreOptions,
  ): Promise<Put | undefined> {
    return attempt(() => this.#entries.put(capture, encoded, ttlMs, options))
  }

  #encode(value: unknown): Encoded | undefined {
    return storable(() => this.#format.encode(value), this.#report)
  }
}

/** Fail-open: the result, or `undefined` after a failure of Redis, which has been reported where it happened. */
async function attempt<T>(operation: () => Promise<T>): Promise<T | undefined> {
  try {
    return await operation()
  } catch (error) {
    if (isRelayCacheError(error)) return undefined
    throw error
  }
}

function checkText(option: string, value: unknown): void {
  if (typeof value !== 'string')
    throw new TypeError(`Expected ${option} to be a string, got ${describe(value)}`)
}
