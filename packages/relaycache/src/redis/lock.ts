import type { RedisClient } from './client.ts'
import type { Gate } from './gate.ts'
import { keepLock, type LockKey } from './scripts.ts'
import type { Unlocks } from './unlocks.ts'

/** A lock is renewed at least this often, so that no timer is too long. */
const MAX_RENEWAL_MS = 60_000

interface LockOptions {
  readonly client: RedisClient
  readonly gate: Gate
  readonly unlocks: Unlocks
  readonly ttlMs: number
}

/**
 * A lock that this process holds while it computes a value. A watchdog renews it, so that it outlasts its ttl only as
 * long as the event loop of this process runs and reaches Redis. It ends with the store, or with {@link end}.
 */
export class Lock {
  readonly key: LockKey
  readonly #client: RedisClient
  readonly #gate: Gate
  readonly #unlocks: Unlocks
  readonly #ttlMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(key: LockKey, { client, gate, unlocks, ttlMs }: LockOptions) {
    this.key = key
    this.#client = client
    this.#gate = gate
    this.#unlocks = unlocks
    this.#ttlMs = ttlMs
    this.#renewLater()
  }

  /** Redis ended the lock, or never knew it. */
  ended(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Ends the lock in the background, unless it has ended, and tells the waiters that there is no value. */
  end(): void {
    if (!this.#timer) return
    this.ended()
    this.#unlocks.end(this.key)
  }

  #renewLater(): void {
    const delayMs = Math.min(this.#ttlMs / 3, MAX_RENEWAL_MS)
    const timer = setTimeout(() => void this.#renew(timer), delayMs).unref()
    this.#timer = timer
  }

  async #renew(timer: NodeJS.Timeout): Promise<void> {
    const held = await this.#gate
      .run('lock', () => keepLock(this.#client, this.key, this.#ttlMs))
      // No answer says nothing about the lock.
      .catch(() => true)
    if (this.#timer !== timer) return
    if (held) this.#renewLater()
    else this.ended()
  }
}
