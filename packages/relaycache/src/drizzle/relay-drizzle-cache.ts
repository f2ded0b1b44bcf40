import { AsyncLocalStorage } from 'node:async_hooks'
import { Cache, type MutationOption } from 'drizzle-orm/cache/core'
import type { CacheConfig } from 'drizzle-orm/cache/core/types'
import type { CacheBackend, Capture } from '../backend.ts'
import { isRelayCacheError, RelayCacheErrorCode, type InvalidationUnconfirmedError } from '../errors.ts'
import { lifetimeMs } from './lifetime.ts'
import { hasMark, setMarks } from './marks.ts'
import { Names, tablesOf, tagsOf } from './names.ts'
import { resolveOptions, type RelayDrizzleCacheOptions, type ResolvedOptions } from './options.ts'
import { withoutDriver } from './response.ts'
import { Writes } from './writes.ts'

const MAX_TTL_MS = 365 * 86_400_000

/** One query between `get` and `put`. */
interface Reading {
  readonly key: string
  readonly backend: CacheBackend
  /** Absent when the result may not be stored. */
  capture: Capture | undefined
}

/** A cache for `drizzle({ cache })`. @throws {TypeError | RangeError} when an option is unknown, ill-typed or out of range */
export function relayDrizzleCache(options: RelayDrizzleCacheOptions): RelayDrizzleCache {
  return new RelayDrizzleCache(options)
}

/**
 * Caches the results of queries by the tables they read, or by a tag of their own.
 *
 * @example
 * const queries = relayDrizzleCache({ backend, ttl: '10m' })
 * const db = drizzle({ client, cache: queries })
 * await db.select().from(books).$withCache()
 * await queries.write(() => db.update(books).set({ title: 'Dune' }))
 */
export class RelayDrizzleCache extends Cache {
  readonly #options: ResolvedOptions
  readonly #names: Names
  /** Drizzle gives `put` nothing that says which `get` it belongs to. */
  readonly #readings = new AsyncLocalStorage<Reading>()
  readonly #writes = new Writes()
  /** What two queries captured together is stored once: a backend takes it back with the first one. */
  readonly #stored = new WeakSet<Capture>()
  /** A query that fails has no `put`. */
  readonly #abandoned = new FinalizationRegistry<() => void>((release) => release())

  constructor(options: RelayDrizzleCacheOptions) {
    super()
    this.#options = resolveOptions(options)
    this.#names = new Names(this.#options.namespace)
  }

  override strategy(): 'explicit' | 'all' {
    return this.#options.strategy
  }

  /**
   * Runs what writes, such as a transaction, and then takes the queries of all tables that it wrote out of the cache,
   * also when it failed. Once this resolved, nobody is given a result from before. Queries within `run` do not use the
   * cache. `run` must wait for all that it sends: what it started counts as outside once it has ended.
   *
   * @throws {InvalidationUnconfirmedError} when the change is made, but the backend did not confirm, and there is no
   * `onUnconfirmed`
   * @throws what `run` throws
   * @example
   * await queries.write(() => db.transaction(async (tx) => {
   *   await tx.update(books).set({ title: 'Dune' })
   * }))
   */
  async write<T>(run: () => PromiseLike<T> | T): Promise<T> {
    const tags = new Set<string>()
    let result: T
    try {
      result = await this.#writes.collect(tags, run)
    } catch (error) {
      // Nobody knows whether it was committed. What is not confirmed now is sent again in the background.
      await this.#options
        .backend()
        .invalidateTags([...tags])
        .catch(() => undefined)
      throw error
    }
    await this.#reported(() => this.#options.backend().invalidateTags([...tags]))
    return result
  }

  /** Not an async function: what it enters must be seen by the caller, who calls `put` afterwards. */
  override get(
    hashOrTag: string,
    tables: string[],
    isTag: boolean,
    isAutoInvalidate?: boolean,
  ): Promise<unknown[] | undefined> {
    const key = this.#names.key(hashOrTag, isTag)
    const reading: Reading = { key, backend: this.#options.backend(), capture: undefined }
    this.#readings.enterWith(reading)
    if (this.#writes.tags || this.#options.bypass?.()) return Promise.resolve(undefined)
    const own = isTag ? [this.#names.tag('tag', hashOrTag)] : []
    return this.#find(reading, isAutoInvalidate ? tables : [], own)
  }

  override async put(
    hashOrTag: string,
    response: unknown,
    _tables: string[],
    isTag: boolean,
    config?: CacheConfig,
  ): Promise<void> {
    const reading = this.#readings.getStore()
    if (!reading?.capture || reading.key !== this.#names.key(hashOrTag, isTag)) return
    const { backend, capture } = reading
    reading.capture = undefined
    this.#abandoned.unregister(reading)
    const ttlMs = Math.min(lifetimeMs(config) ?? this.#options.ttlMs, MAX_TTL_MS)
    try {
      if (!(ttlMs > 0) || this.#stored.has(capture)) return
      this.#stored.add(capture)
      await backend.store(capture, withoutDriver(response), Math.ceil(ttlMs))
    } finally {
      backend.release(capture)
    }
  }

  /** Drizzle calls it together with the statement, and by `db.$cache.invalidate()`. */
  override async onMutate(mutation: MutationOption): Promise<void> {
    const backend = this.#options.backend()
    const tables = tablesOf(mutation)
    const tags = [
      ...tables.map((table) => this.#names.tag('table', table)),
      ...tagsOf(mutation).map((tag) => this.#names.tag('tag', tag)),
    ]
    const written = this.#writes.tags
    if (written) {
      for (const tag of tags) written.add(tag)
      return
    }
    const marks = tables.map((table) => this.#names.mark(table))
    await this.#reported(async () => {
      try {
        await setMarks(backend, marks, this.#options.settle)
      } finally {
        await backend.invalidateTags(tags)
      }
    })
  }

  async #find(
    reading: Reading,
    tables: readonly string[],
    own: readonly string[],
  ): Promise<unknown[] | undefined> {
    const { backend, key } = reading
    const { errors } = backend.counters
    const tags = [...tables.map((table) => this.#names.tag('table', table)), ...own]
    const read = await backend.read(key, () => tags, this.#options.ttlMs)
    backend.counters[read.hit ? 'hits' : 'misses'] += 1
    if (read.hit) return read.value as unknown[]
    const { capture } = read
    if (!capture) return undefined
    // Looked at after the capture: a mark is set before its invalidation, and a capture from before that is dead anyway.
    const marks = tables.map((table) => this.#names.mark(table))
    if ((await hasMark(backend, marks)) || backend.counters.errors !== errors) {
      backend.release(capture)
      return undefined
    }
    reading.capture = capture
    this.#abandoned.register(reading, () => backend.release(capture), reading)
    return undefined
  }

  async #reported(invalidate: () => Promise<void>): Promise<void> {
    try {
      await invalidate()
    } catch (error) {
      const { onUnconfirmed } = this.#options
      if (!onUnconfirmed || !isUnconfirmed(error)) throw error
      onUnconfirmed(error)
    }
  }
}

/** By the code: the backend may be of another copy of this package. */
function isUnconfirmed(error: unknown): error is InvalidationUnconfirmedError {
  return isRelayCacheError(error) && error.code === RelayCacheErrorCode.invalidationUnconfirmed
}
