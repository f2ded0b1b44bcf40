import { LRUCache } from 'lru-cache'
import {
  createCounters,
  type CacheBackend,
  type CacheStats,
  type Capture,
  type Counters,
  type InvalidateTagsOptions,
  type Lookup,
  type Read,
  type Shared,
  type Stale,
  type StoreOptions,
  type Timing,
} from '../backend.ts'
import { publishInvalidation } from '../diagnostics.ts'
import { ttlToMs, type Ttl } from '../duration.ts'
import { wellFormedKey } from '../keys.ts'
import { checkOptionNames, describe } from '../options.ts'
import { createReporter, type OnError } from '../reporter.ts'
import { resolveSetOptions, type SetOptions } from '../set-options.ts'
import { storable } from '../storable.ts'
import { distinctTags } from '../tags.ts'
import { Clock } from './clock.ts'
import { isolate, read, type Isolated, type Isolation } from './isolation.ts'
import { sizeOf } from './size.ts'
import { areAlive, areServable, TagTokens, type Token } from './tag-tokens.ts'

/** How an {@link InMemoryCache} behaves. */
export interface InMemoryCacheOptions {
  /** Time to live of a `set` that names none. A bare number is seconds. @default 300 */
  readonly defaultTtl?: Ttl | undefined
  /**
   * How many values are held; the least recently used one makes room for the next. An integer from 1 to 2^24, the most
   * that a Map can hold; memory for the bookkeeping of that many is taken at once. @default 10_000
   */
  readonly maxItems?: number | undefined
  /**
   * About how many bytes all values may take with their keys and tags; the least recently used ones make room, and a value
   * that is larger is not stored. An integer of at least 1. Measuring costs a walk through every value that is stored.
   * Not with `isolation: 'shared'`. @default Infinity
   */
  readonly maxBytes?: number | undefined
  /** How values are kept apart from their callers. @default 'freeze' */
  readonly isolation?: Isolation | undefined
  /** Called when a value cannot be stored. @default one process warning for each kind of error */
  readonly onError?: OnError | undefined
}

const OPTION_NAMES = ['defaultTtl', 'maxItems', 'maxBytes', 'isolation', 'onError'] as const
const MAX_ITEMS = 2 ** 24
/** What bookkeeping takes for each value, and for each of its tags, which values may share. */
const ENTRY_BYTES = 200
const TOKEN_BYTES = 150
const ISOLATIONS = new Set<unknown>(['freeze', 'clone', 'shared'])

/** The statistics of a cache in this process: every count is exact. */
export interface InMemoryCacheStats extends CacheStats {
  readonly totalKeys: number
  readonly activeKeys: number
  readonly expiredKeys: number
  readonly totalTags: number
  readonly approximate: false
}

/** What a backend that is built on the memory notes of a value goes with it, and is not isolated. */
interface Noted extends Isolated {
  note: unknown
}

/** Doubles as the hit that `read` answers, which spares an object on every hit. */
interface Entry extends Noted {
  readonly hit: true
  readonly tokens: readonly Token[]
  /** Only of a value that is kept beyond its ttl, or refreshed before it is over. */
  readonly timing: Timing | undefined
}

/** A value as it is held, if it is fresh. */
export let heldIn: (memory: InMemoryCache, key: string) => Noted | undefined

/** Takes all values out without an event: for a backend that is built on the memory, and tells by itself. */
export let empty: (memory: InMemoryCache) => void

/** Takes values out at once and without an event. */
export let drop: (
  memory: InMemoryCache,
  dropped: { readonly keys: readonly string[]; readonly tags: readonly string[] },
) => void

interface MemoryCapture extends Capture {
  readonly key: string
  /** How often tags had been invalidated; only where more tags follow from the value. */
  readonly invalidations: number | undefined
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
  static {
    heldIn = (memory, key) => memory.#find(key)
    empty = (memory) => {
      memory.#entries.clear()
      memory.#captures.clear()
    }
    drop = (memory, { keys, tags }) => {
      for (const key of keys) memory.#entries.delete(key)
      memory.#tokens.kill(tags)
    }
  }

  readonly counters: Counters = createCounters()
  readonly #defaultTtlMs: number
  readonly #isolation: Isolation
  readonly #report: OnError
  readonly #entries: LRUCache<string, Entry>
  readonly #clock = new Clock()
  readonly #tokens = new TagTokens()
  /** The latest capture of every key that is being computed. Only the latest one may store. */
  readonly #captures = new Map<string, MemoryCapture>()
  /** How often tags were invalidated. */
  #invalidations = 0

  constructor(options: InMemoryCacheOptions = {}) {
    checkOptionNames('InMemoryCache', options, OPTION_NAMES)
    const {
      defaultTtl = 300,
      maxItems = 10_000,
      maxBytes = Infinity,
      isolation = 'freeze',
      onError,
    } = options
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
    const isBounded = maxBytes !== Infinity
    if (isBounded && (!Number.isSafeInteger(maxBytes) || maxBytes < 1)) {
      throw new RangeError(
        `Expected maxBytes to be Infinity or an integer of at least 1, got ${describe(maxBytes)}`,
      )
    }
    if (isBounded && isolation === 'shared') {
      throw new TypeError(
        "Expected no maxBytes with isolation 'shared': values of any kind cannot be measured",
      )
    }
    this.#defaultTtlMs = ttlToMs('defaultTtl', defaultTtl)
    this.#isolation = isolation
    this.#report = createReporter(onError, this)
    this.#entries = new LRUCache({
      max: maxItems,
      dispose: (entry) => this.#tokens.release(entry.tokens),
      perf: this.#clock,
      ttlResolution: 0,
      ...(isBounded && { maxSize: maxBytes, sizeCalculation: bytesOf }),
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
      return this.#put(capture, value, ttlMs) !== undefined && this.#entries.has(key)
    } finally {
      this.release(capture)
    }
  }

  async delete(key: string): Promise<void> {
    const checkedKey = wellFormedKey(key)
    await publishInvalidation({ backend: this, operation: 'delete', tags: [], key }, () => {
      this.#entries.delete(checkedKey)
      this.#captures.delete(checkedKey)
    })
  }

  async has(key: string): Promise<boolean> {
    return this.#find(wellFormedKey(key)) !== undefined
  }

  async clear(): Promise<void> {
    await publishInvalidation({ backend: this, operation: 'clear', tags: [] }, () => empty(this))
  }

  async invalidateTags(tags: readonly string[], { soft = false }: InvalidateTagsOptions = {}): Promise<void> {
    const distinct = distinctTags(tags)
    await publishInvalidation({ backend: this, operation: 'invalidateTags', tags: distinct }, () => {
      this.#invalidations += 1
      if (soft) this.#tokens.soften(distinct)
      else this.#tokens.kill(distinct)
    })
  }

  async stats(): Promise<InMemoryCacheStats> {
    let activeKeys = 0
    for (const entry of this.#entries.values()) if (this.#isFresh(entry)) activeKeys += 1
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

  peek(key: string, _tags?: unknown, allowStale = false): Lookup {
    const found = this.#find(key)
    if (found) return { hit: true, value: read(found) }
    const stale = allowStale ? this.#findStale(key) : undefined
    return stale ? { hit: true, value: stale.value } : { hit: false }
  }

  read(key: string, tags: () => readonly string[], _ttlMs?: number, openTags = false): Read {
    const entry = this.#find(key)
    if (entry) return entry.copyOnRead ? { hit: true, value: read(entry), timing: entry.timing } : entry
    return { hit: false, capture: this.#runningCapture(key, tags(), openTags), stale: this.#findStale(key) }
  }

  renew(key: string, tags: () => readonly string[], _ttlMs?: number, openTags = false): MemoryCapture {
    return this.#capture(key, tags(), openTags)
  }

  store(capture: MemoryCapture | undefined, value: unknown, ttlMs: number, options?: StoreOptions): Shared {
    const held = this.#put(capture, value, ttlMs, options)
    return held ? { own: read(held), copy: () => read(held) } : { own: value, copy: () => value }
  }

  release(capture: MemoryCapture): void {
    if (this.#captures.get(capture.key) === capture) this.#captures.delete(capture.key)
    this.#tokens.release(capture.tokens)
    capture.tokens = []
  }

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    return entry && this.#isFresh(entry) ? entry : undefined
  }

  #isFresh({ tokens, timing }: Entry): boolean {
    return areAlive(tokens) && (timing === undefined || this.#clock.now() < timing.freshUntil)
  }

  /** What {@link #find} did not find, if it is still there and was not invalidated but softly. */
  #findStale(key: string): Stale | undefined {
    const entry = this.#entries.get(key)
    if (!entry || !areServable(entry.tokens)) return undefined
    return { value: read(entry), soft: !areAlive(entry.tokens) }
  }

  /** The capture of the computation under way if a caller of this moment may join it, else a new one. */
  #runningCapture(key: string, tags: readonly string[], openTags: boolean): MemoryCapture {
    const running = this.#captures.get(key)
    const mayJoin =
      running &&
      this.#tokens.areCurrent(running.tokens, tags) &&
      running.invalidations === (openTags ? this.#invalidations : undefined)
    return mayJoin ? running : this.#capture(key, tags, openTags)
  }

  #capture(key: string, tags: readonly string[], openTags: boolean): MemoryCapture {
    const invalidations = openTags ? this.#invalidations : undefined
    const capture = { key, flight: {}, tokens: this.#tokens.hold(tags), invalidations }
    this.#captures.set(key, capture)
    return capture
  }

  /** The isolated value, stored if the capture still holds; `undefined` when it cannot be isolated. */
  #put(
    capture: MemoryCapture | undefined,
    value: unknown,
    ttlMs: number,
    options?: StoreOptions,
  ): Isolated | undefined {
    const held = storable(() => isolate(value, this.#isolation), this.#report)
    if (held && capture && this.#holds(capture, options?.resultTags)) {
      const { timing, resultTags = [] } = options ?? {}
      const tokens = [...capture.tokens, ...this.#tokens.hold(resultTags)]
      const entry: Entry = {
        hit: true,
        ...held,
        tokens,
        timing: timing && { freshUntil: this.#clock.now() + ttlMs, computeMs: timing.computeMs },
        note: undefined,
      }
      // A value that is too large is not disposed of when it is turned away.
      capture.tokens = tokens
      this.#entries.set(capture.key, entry, { ttl: ttlMs + (timing?.graceMs ?? 0) })
      if (this.#entries.peek(capture.key, { allowStale: true }) === entry) capture.tokens = []
    }
    return held
  }

  /** Whether nothing was invalidated since the capture that matters to a value with these further tags. */
  #holds(capture: MemoryCapture, resultTags: readonly string[] | undefined): boolean {
    return (
      this.#captures.get(capture.key) === capture &&
      areAlive(capture.tokens) &&
      (resultTags === undefined || capture.invalidations === this.#invalidations)
    )
  }
}

function bytesOf({ value, tokens }: Entry, key: string): number {
  let bytes = ENTRY_BYTES + sizeOf(value) + sizeOf(key)
  for (const { tag } of tokens) bytes += TOKEN_BYTES + sizeOf(tag.name)
  return bytes
}
