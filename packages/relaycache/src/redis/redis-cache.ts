import {
  createCounters,
  type CacheBackend,
  type Counters,
  type Lookup,
  type Read,
  type Shared,
} from '../backend.ts'
import { durationToMs, ttlToMs, type Duration, type Ttl } from '../duration.ts'
import { isRelayCacheError } from '../errors.ts'
import { wellFormedKey } from '../keys.ts'
import { checkOptionNames, describe } from '../options.ts'
import { createReporter, type OnError } from '../reporter.ts'
import { resolveSetOptions, type SetOptions } from '../set-options.ts'
import { storable } from '../storable.ts'
import { distinctTags, NO_TAGS } from '../tags.ts'
import { checkClient, type RedisClient } from './client.ts'
import { decode, encode } from './codec.ts'
import { Entries, type RedisCapture } from './entries.ts'
import { Gate } from './gate.ts'
import { KeySpace } from './key-space.ts'
import { Removals } from './removals.ts'
import { countKeys, type RedisCacheStats } from './stats.ts'

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
  /** Called with failures of Redis and values that cannot be stored. @default one process warning for each kind */
  readonly onError?: OnError | undefined
}

const OPTION_NAMES = [
  'defaultTtl',
  'valuePrefix',
  'metaPrefix',
  'deadline',
  'invalidateDeadline',
  'onError',
] as const

/**
 * A cache in Redis, shared by all processes. A hit of a cached function costs one round trip, also with tags; `get` and
 * `has` need a second one for a value with tags. The client stays the caller's: it may have a `keyPrefix`, may be a
 * Cluster, and is not closed.
 *
 * @throws {TypeError} for an unknown option, an ill-typed one, or a client that reads from replicas
 * @throws {RangeError} when a time is out of range
 * @example
 * const backend = new RedisCache(new Redis({ enableOfflineQueue: false }), { defaultTtl: '1h', valuePrefix: 'myapp:' })
 */
export class RedisCache<Client extends RedisClient = RedisClient> implements CacheBackend {
  /** The client that was given. */
  readonly client: Client
  readonly counters: Counters = createCounters()
  readonly #defaultTtlMs: number
  readonly #report: OnError
  readonly #keys: KeySpace
  readonly #gate: Gate
  readonly #entries: Entries
  readonly #removals: Removals

  constructor(client: Client, options: RedisCacheOptions = {}) {
    checkOptionNames('RedisCache', options, OPTION_NAMES)
    const {
      defaultTtl = 300,
      valuePrefix = 'relaycache:',
      deadline = '50ms',
      invalidateDeadline = '2s',
    } = options
    const metaPrefix = options.metaPrefix ?? `${valuePrefix}meta:`
    checkText('valuePrefix', valuePrefix)
    checkText('metaPrefix', metaPrefix)
    checkClient(client)
    this.client = client
    this.#defaultTtlMs = ttlToMs('defaultTtl', defaultTtl)
    this.#report = createReporter(options.onError)
    this.#keys = new KeySpace(valuePrefix, metaPrefix)
    this.#gate = new Gate({
      client,
      deadlineMs: durationToMs('deadline', deadline),
      counters: this.counters,
      report: this.#report,
      probe: () => client.getBuffer(this.#keys.namespace),
      whenClosed: () => this.#removals.retry(),
    })
    this.#removals = new Removals(client, {
      keys: this.#keys,
      gate: this.#gate,
      deadlineMs: durationToMs('invalidateDeadline', invalidateDeadline),
    })
    this.#entries = new Entries(client, { keys: this.#keys, gate: this.#gate, removals: this.#removals })
  }

  async get(key: string): Promise<Lookup> {
    const found = await this.peek(wellFormedKey(key), NO_TAGS)
    this.counters[found.hit ? 'hits' : 'misses'] += 1
    return found
  }

  async set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    const { ttlMs, tags } = resolveSetOptions(options, this.#defaultTtlMs)
    const checkedKey = wellFormedKey(key)
    const body = this.#encode(value)
    const capture = body === undefined ? undefined : await this.renew(checkedKey, () => tags, ttlMs)
    return capture !== undefined && body !== undefined && this.#put(capture, body, ttlMs)
  }

  async delete(key: string): Promise<void> {
    await this.#removals.remove('delete', [this.#keys.value(wellFormedKey(key))])
  }

  async has(key: string): Promise<boolean> {
    return (await this.peek(wellFormedKey(key), NO_TAGS)).hit
  }

  async clear(): Promise<void> {
    await this.#removals.remove('clear', [this.#keys.namespace])
  }

  async invalidateTags(tags: readonly string[]): Promise<void> {
    const distinct = distinctTags(tags)
    await this.#removals.remove(
      'invalidateTags',
      distinct.map((tag) => this.#keys.tag(tag)),
      distinct,
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

  async peek(key: string, tags: () => readonly string[]): Promise<Lookup> {
    const expected = tags().toSorted()
    const found = await attempt(() => this.#entries.find(key, expected))
    return found?.hit ? found : { hit: false }
  }

  async read(key: string, tags: () => readonly string[], ttlMs: number): Promise<Read> {
    const expected = tags().toSorted()
    const read = await attempt(async (): Promise<Read> => {
      const found = await this.#entries.find(key, expected)
      return found.hit
        ? found
        : { hit: false, capture: await this.#entries.capture(key, expected, ttlMs, found.seen) }
    })
    return read ?? { hit: false, capture: undefined }
  }

  async renew(key: string, tags: () => readonly string[], ttlMs: number): Promise<RedisCapture | undefined> {
    const expected = tags().toSorted()
    return attempt(() => this.#entries.capture(key, expected, ttlMs))
  }

  async store(capture: RedisCapture | undefined, value: unknown, ttlMs: number): Promise<Shared> {
    const body = this.#encode(value)
    if (body === undefined) return { own: value, copy: () => value }
    if (capture) await this.#put(capture, body, ttlMs)
    return { own: value, copy: () => decode(body) }
  }

  /** Nothing to do: a key that holds a token only expires by itself. */
  release(): void {}

  async #put(capture: RedisCapture, body: string, ttlMs: number): Promise<boolean> {
    return (await attempt(() => this.#entries.put(capture, body, ttlMs))) ?? false
  }

  #encode(value: unknown): string | undefined {
    return storable(() => encode(value), this.#report)
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
