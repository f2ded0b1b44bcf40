import { LRUCache } from 'lru-cache'
import type { RedisClient } from './client.ts'
import { openTag, openValue, renewValue, type ValueKeys } from './scripts.ts'

const MIN_TAG_LIFE_MS = 60_000
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
    const now = performance.now()
    const known = this.#known.get(key)
    if (known && known.token === seen?.toString('latin1') && known.until >= now + ttlMs) return known.token
    const lifeMs = Math.max(MIN_TAG_LIFE_MS, 2 * ttlMs)
    const token = await this.#once(`${lifeMs}:${key}`, () => openTag(this.#client, key, lifeMs))
    this.#known.set(key, { token, until: now + lifeMs })
    return token
  }

  /** The token of a value. `dead` is the preamble of what its key was found to hold in vain; may be empty. */
  ofValue(keys: ValueKeys, ttlMs: number, dead: Buffer): Promise<string> {
    const lifeMs = computationLife(ttlMs)
    return this.#once(`${lifeMs}:${keys[0]}`, () => openValue(this.#client, keys, { lifeMs, dead }))
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

/** How long a computation may reasonably take. */
function computationLife(ttlMs: number): number {
  return Math.min(Math.max(ttlMs, MIN_COMPUTATION_MS), MAX_COMPUTATION_MS)
}
