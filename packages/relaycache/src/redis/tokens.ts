import { LRUCache } from 'lru-cache'
import type { RedisClient } from './client.ts'
import { openTag, openValue, renewValue, type FoundValue, type ValueKeys } from './scripts.ts'

/** When a computation begins, its tags live for at least so long, so that it can store whatever its ttl. */
const MIN_TAG_LIFE_MS = 30_000
const MIN_COMPUTATION_MS = 60_000
const MAX_COMPUTATION_MS = 3_600_000

/** A key on whose token an entry depends. */
export interface Dependency {
  readonly name: string
  readonly token: string
}

interface Known {
  readonly token: string
  /** The tag key lives at least until this moment of `performance.now()`. */
  readonly until: number
}

/** Gets and makes the tokens that a computation captures. */
export class Tokens {
  readonly #client: RedisClient
  /** The latest token of each tag key. Spares most requests to extend its life. */
  readonly #known = new LRUCache<string, Known>({ max: 10_000 })
  /** Requests of the current tick. A later caller may not join: its token must be read after it began. */
  readonly #opening = new Map<string, Promise<string>>()

  constructor(client: RedisClient) {
    this.#client = client
  }

  /**
   * The token of a tag key that lives at least as long as an entry stored now. `seen` is what the caller has just
   * read, and saves a request where the key is known to live long enough.
   */
  async ofTag(key: string, seen: Buffer | null | undefined, ttlMs: number): Promise<string> {
    const lifeMs = Math.max(ttlMs, MIN_TAG_LIFE_MS)
    const known = this.#known.get(key)
    if (known && known.token === seen?.toString('latin1') && outlives(known, lifeMs)) return known.token
    return this.#openTag(key, lifeMs)
  }

  /** Those that may expire before an entry stored now, as it can be after a long computation. */
  shorterThan(ttlMs: number, dependencies: readonly Dependency[]): readonly Dependency[] {
    return dependencies.filter(({ name, token }) => {
      const known = this.#known.get(name)
      return known?.token !== token || !outlives(known, ttlMs)
    })
  }

  /** Lets keys of tags live at least as long as an entry stored now. Shows whether their tokens {@link areOutdated}. */
  async prolong(ttlMs: number, dependencies: readonly Dependency[]): Promise<void> {
    const lifeMs = Math.max(ttlMs, MIN_TAG_LIFE_MS)
    await Promise.all(dependencies.map(({ name }) => this.#openTag(name, lifeMs)))
  }

  /** The token of a value, of which `found` is what its key was found to hold. */
  ofValue(keys: ValueKeys, ttlMs: number, found: FoundValue): Promise<string> {
    const lifeMs = computationLife(ttlMs)
    return this.#once(`${lifeMs}:${keys[0]}`, () => openValue(this.#client, keys, lifeMs, found))
  }

  /** A new token for a value: computations that hold the old one cannot store any more. */
  renewValue(keys: ValueKeys, ttlMs: number): Promise<string> {
    return renewValue(this.#client, keys, computationLife(ttlMs))
  }

  /**
   * Whether this process has seen a newer token. A value stored under an outdated one would never be served, and
   * might take the place of one that is. `false` proves nothing: readers compare with Redis.
   */
  areOutdated(dependencies: readonly Dependency[]): boolean {
    return dependencies.some(({ name, token }) => (this.#known.peek(name)?.token ?? token) !== token)
  }

  /** For twice as long as need be, so that it is not needed again soon. */
  async #openTag(key: string, neededMs: number): Promise<string> {
    const lifeMs = 2 * neededMs
    const until = performance.now() + lifeMs
    const token = await this.#once(`${lifeMs}:${key}`, () => openTag(this.#client, key, lifeMs))
    this.#known.set(key, { token, until })
    return token
  }

  #once(id: string, open: () => Promise<string>): Promise<string> {
    let token = this.#opening.get(id)
    if (!token) {
      token = open()
      this.#opening.set(id, token)
      process.nextTick(() => this.#opening.delete(id))
    }
    return token
  }
}

function outlives(known: Known, lifeMs: number): boolean {
  return known.until >= performance.now() + lifeMs
}

/** How long a computation may reasonably take. */
function computationLife(ttlMs: number): number {
  return Math.min(Math.max(ttlMs, MIN_COMPUTATION_MS), MAX_COMPUTATION_MS)
}
