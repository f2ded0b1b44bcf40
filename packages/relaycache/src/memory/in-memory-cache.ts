import { LRUCache } from 'lru-cache'
import {
  createCounters,
  type CacheBackend,
  type CacheStats,
  type Capture,
  type Counters,
  type Lookup,
  type Read,
  type Shared,
} from '../backend.ts'
import { ttlToMs, type Ttl } from '../duration.ts'
import { wellFormedKey } from '../keys.ts'
import { checkOptionNames, describe } from '../options.ts'
import { createReporter, type OnError } from '../reporter.ts'
import { resolveSetOptions, type SetOptions } from '../set-options.ts'
import { storable } from '../storable.ts'
import { distinctTags } from '../tags.ts'
import { Clock } from './clock.ts'
import { clone, isolate, type Isolated, type Isolation } from './isolation.ts'
import { areAlive, TagTokens, type Token } from './tag-tokens.ts'

/** How an {@link InMemoryCache} behaves. */
export interface InMemoryCacheOptions {
  /** Time to live of a `set` that names none. A bare number is seconds. @default 300 */
  readonly defaultTtl?: Ttl | undefined
  /**
   * How many values are held; the least recently used one makes room for the next. An integer from 1 to 2^24, the most
   * that a Map can hold; memory for the bookkeeping of that many is taken at once. @default 10_000
   */
  readonly maxItems?: number | undefined
  /** How values are kept apart from their callers. @default 'freeze' */
  readonly isolation?: Isolation | undefined
  /** Called when a value cannot be stored. @default one process warning for each kind of error */
  readonly onError?: OnError | undefined
}

const OPTION_NAMES = ['defaultTtl', 'maxItems', 'isolation', 'onError'] as const
const MAX_ITEMS = 2 ** 24
const ISOLATIONS = new Set<unknown>(['freeze', 'clone', 'shared'])

/** The statistics of a cache in this process: every count is exact. */
export interface InMemoryCacheStats extends CacheStats {
  readonly totalKeys: number
  readonly activeKeys: number
  readonly expiredKeys: number
  readonly totalTags: number
  readonly approximate: false
}

/** Doubles as the hit that `read` answers, which spares an object on every hit. */
interface Entry extends Isolated {
  readonly hit: true
  readonly tokens: readonly Token[]
}

interface MemoryCapture extends Capture {
  readonly key: string
  /** Held by the capture until it is released, or by the entry once it is stored. */
  tokens: readonly Token[]
}

/**
 * A cache in the memory of this process, bounded by `maxItems`.
 *
 * @throws {TypeError} for an unknown option
 * @throws {RangeError} when `defaultTtl` or `maxItems` is out of range
 * @example
 * const backend = new InMemoryCache({ defaultTtl: '1h', maxItems: 10_000 })
 */
export class InMemoryCache implements CacheBackend {
  readonly counters: Counters = createCounters()
  readonly #defaultTtlMs: number
  readonly #isolation: Isolation
  readonly #report: OnError
  readonly #entries: LRUCache<string, Entry>
  readonly #tokens = new TagTokens()
  /** The latest capture of every key that is being computed. Only the latest one may store. */
  readonly #captures = new Map<string, MemoryCapture>()

  constructor(options: InMemoryCacheOptions = {}) {
    checkOptionNames('InMemoryCache', options, OPTION_NAMES)
    const { defaultTtl = 300, maxItems = 10_000, isolation = 'freeze', onError } = options
    if (!Number.isSafeInteger(maxItems) || maxItems < 1 || maxItems > MAX_ITEMS) {
      throw new RangeError(
        `Expected maxItems to be an integer from 1 to ${MAX_ITEMS}, got ${describe(maxItems)}`,
      )
    }
    if (!ISOLATIONS.has(isolation)) {
      throw new TypeError(
        `Expected isolation to be 'freeze', 'clone' or 'shared', got ${describe(isolation)}`,
      )
    }
    this.#defaultTtlMs = ttlToMs('defaultTtl', defaultTtl)
    this.#isolation = isolation
    this.#report = createReporter(onError)
    this.#entries = new LRUCache({
      max: maxItems,
      dispose: (entry) => this.#tokens.release(entry.tokens),
      perf: new Clock(),
      ttlResolution: 0,
    })
  }

  async get(key: string): Promise<Lookup> {
    const found = this.peek(wellFormedKey(key))
    this.counters[found.hit ? 'hits' : 'misses'] += 1
    return found
  }

  async set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    const { ttlMs, tags } = resolveSetOptions(options, this.#defaultTtlMs)
    const capture = this.renew(wellFormedKey(key), () => tags)
    try {
      return this.#put(capture, value, ttlMs) !== undefined
    } finally {
      this.release(capture)
    }
  }

  async delete(key: string): Promise<void> {
    this.#entries.delete(wellFormedKey(key))
    this.#captures.delete(key)
  }

  async has(key: string): Promise<boolean> {
    return this.#find(wellFormedKey(key)) !== undefined
  }

  async clear(): Promise<void> {
    this.#entries.clear()
    this.#captures.clear()
  }

  async invalidateTags(tags: readonly string[]): Promise<void> {
    this.#tokens.kill(distinctTags(tags))
  }

  async stats(): Promise<InMemoryCacheStats> {
    let activeKeys = 0
    for (const entry of this.#entries.values()) if (areAlive(entry.tokens)) activeKeys += 1
    const totalKeys = this.#entries.size
    return {
      totalKeys,
      activeKeys,
      expiredKeys: totalKeys - activeKeys,
      totalTags: this.#tokens.size,
      approximate: false,
      ...this.counters,
    }
  }

  peek(key: string): Lookup {
    const entry = this.#find(key)
    return entry ? { hit: true, value: read(entry) } : { hit: false }
  }

  read(key: string, tags: () => readonly string[]): Read {
    const entry = this.#find(key)
    if (entry) return entry.copyOnRead ? { hit: true, value: read(entry) } : entry
    return { hit: false, capture: this.#runningCapture(key, tags()) }
  }

  renew(key: string, tags: () => readonly string[]): MemoryCapture {
    return this.#capture(key, tags())
  }

  store(capture: MemoryCapture, value: unknown, ttlMs: number): Shared {
    const held = this.#put(capture, value, ttlMs)
    return held ? { own: read(held), copy: () => read(held) } : { own: value, copy: () => value }
  }

  release(capture: MemoryCapture): void {
    if (this.#captures.get(capture.key) === capture) this.#captures.delete(capture.key)
    this.#tokens.release(capture.tokens)
    capture.tokens = []
  }

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    return entry && areAlive(entry.tokens) ? entry : undefined
  }

  /** The capture of the computation under way if a caller of this moment may join it, else a new one. */
  #runningCapture(key: string, tags: readonly string[]): MemoryCapture {
    const running = this.#captures.get(key)
    return running && this.#tokens.areCurrent(running.tokens, tags) ? running : this.#capture(key, tags)
  }

  #capture(key: string, tags: readonly string[]): MemoryCapture {
    const capture = { key, flight: {}, tokens: this.#tokens.hold(tags) }
    this.#captures.set(key, capture)
    return capture
  }

  /** The isolated value, stored if the capture still holds; `undefined` when it cannot be isolated. */
  #put(capture: MemoryCapture, value: unknown, ttlMs: number): Isolated | undefined {
    const held = storable(() => isolate(value, this.#isolation), this.#report)
    if (held && this.#captures.get(capture.key) === capture && areAlive(capture.tokens)) {
      this.#entries.set(capture.key, { hit: true, ...held, tokens: capture.tokens }, { ttl: ttlMs })
      capture.tokens = []
    }
    return held
  }
}

function read(held: Isolated): unknown {
  return held.copyOnRead ? clone(held.value) : held.value
}
