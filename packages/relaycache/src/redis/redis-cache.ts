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
import { isRelayCacheError } from '../errors.ts'
import { wellFormedKey } from '../keys.ts'
import { createReporter, type OnError } from '../reporter.ts'
import { resolveSetOptions, type SetOptions } from '../set-options.ts'
import { storable } from '../storable.ts'
import { distinctTags, NO_TAGS, sortedTags } from '../tags.ts'
import { Announcements } from './announcements.ts'
import { checkClient, type RedisClient } from './client.ts'
import { Entries, type Demand, type Put, type RedisCapture } from './entries.ts'
import { Gate } from './gate.ts'
import { KeyReader } from './key-reader.ts'
import { KeySpace } from './key-space.ts'
import type { LocalValues } from './local-values.ts'
import { Lookups, type Missed } from './lookups.ts'
import { resolveRedisCacheOptions, type RedisCacheOptions } from './redis-cache-options.ts'
import { Removals } from './removals.ts'
import { Replicas } from './replicas.ts'
import { Singleflight, type Look } from './singleflight.ts'
import { countKeys, type RedisCacheStats } from './stats.ts'
import { ValueFormat, type Encoded } from './value-format.ts'

/** What a backend that is built on a {@link RedisCache} needs of it. */
export interface Internals {
  readonly options: RedisCacheOptions
  /** Keeps decoded values in this process from now on, and does not read them again while Redis holds the same. */
  readonly keepIn: (local: LocalValues) => void
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
  readonly #lookups: Lookups
  /** What Redis holds, whatever there is in this process. */
  readonly #remote: Lookups
  readonly #entries: Entries
  readonly #removals: Removals
  readonly #singleflight: Singleflight
  #local: LocalValues | undefined

  constructor(client: Client, options: RedisCacheOptions = {}) {
    const { valuePrefix, metaPrefix, ...resolved } = resolveRedisCacheOptions(options)
    checkClient(client)
    this.client = client
    this.#defaultTtlMs = resolved.defaultTtlMs
    this.#report = createReporter(options.onError, this)
    this.#format = new ValueFormat(options)
    this.#keys = new KeySpace(valuePrefix, metaPrefix)
    this.#gate = new Gate({
      backend: this,
      client,
      deadlineMs: resolved.deadlineMs,
      counters: this.counters,
      report: this.#report,
      probe: () => client.getBuffer(this.#keys.namespace),
      whenClosed: () => this.#removals.retry(),
    })
    const replicas = new Replicas(client, {
      wanted: resolved.waitReplicas,
      gate: this.#gate,
      deadlineMs: resolved.invalidateDeadlineMs,
    })
    const announcements = new Announcements(client, { metaPrefix, report: this.#report })
    this.#removals = new Removals(client, {
      keys: this.#keys,
      gate: this.#gate,
      replicas,
      announcements,
      forget: (names) => this.#local?.forget(names),
    })
    const reader = new KeyReader(client, { gate: this.#gate, removals: this.#removals })
    const stored = { keys: this.#keys, reader, format: this.#format }
    this.#lookups = new Lookups(stored)
    this.#remote = new Lookups(stored)
    this.#entries = new Entries(client, {
      keys: this.#keys,
      gate: this.#gate,
      removals: this.#removals,
      reader,
      announcements,
    })
    this.#singleflight = new Singleflight(client, this.#gate)
    internals.set(this, {
      options,
      keepIn: (local) => {
        this.#local = local
        this.#lookups.keepIn(local)
        this.#entries.keepIn(local)
      },
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
    const isActive = async (key: string): Promise<boolean> =>
      (await attempt(() => this.#remote.find(key, [])))?.hit ?? false
    const counts = await attempt(() => countKeys(this.client, this.#keys, { gate: this.#gate, isActive }))
    return {
      ...(counts ?? { totalKeys: null, activeKeys: null, expiredKeys: null, totalTags: null }),
      approximate: true,
      breaker: this.#gate.state,
      ...this.counters,
    }
  }

  peek(key: string, tags: () => readonly string[], allowStale = false): MaybePromise<Lookup> {
    const trusted = this.#local?.trusted(key)
    return trusted ? { hit: true, value: trusted.value } : this.#peek(key, tags, allowStale)
  }

  read(key: string, tags: () => readonly string[], ttlMs: number, openTags = false): MaybePromise<Read> {
    const trusted = this.#local?.trusted(key)
    if (trusted) return trusted
    // What `find` would come to as well, after work that is in vain.
    if (!this.#gate.admits()) return NO_READ
    return this.#read(key, tags, { ttlMs, openTags })
  }

  async #peek(key: string, tags: () => readonly string[], allowStale: boolean): Promise<Lookup> {
    const expected = sortedTags(tags())
    const found = await attempt(() => this.#lookups.find(key, expected))
    if (found?.hit) return { hit: true, value: found.value }
    return allowStale && found?.stale ? { hit: true, value: found.stale.value } : { hit: false }
  }

  #read(key: string, tags: () => readonly string[], demand: Demand): Promise<Read> {
    const expected = sortedTags(tags())
    return this.#lookups
      .find(key, expected)
      .then((found) => (found.hit ? found : this.#missed(found, key, expected, demand).catch(noRead)), noRead)
  }

  async renew(
    key: string,
    tags: () => readonly string[],
    ttlMs: number,
    openTags = false,
  ): Promise<RedisCapture | undefined> {
    const expected = sortedTags(tags())
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
    const look = (): Promise<Look> => this.#look(key, sortedTags(tags()), { ttlMs, openTags })
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
    const found = await this.#lookups.find(key, tags)
    return found.hit ? found : this.#missed(found, key, tags, demand)
  }

  async #missed(missed: Missed, key: string, tags: readonly string[], demand: Demand): Promise<Read & Look> {
    const capture = (): Promise<RedisCapture> => this.#entries.capture(key, tags, demand, missed)
    const { stale } = missed
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

/** Fail-open: a read while Redis cannot be used. */
const NO_READ: Read = { hit: false, capture: undefined }

function noRead(error: unknown): Read {
  if (isRelayCacheError(error)) return NO_READ
  throw error
}
