import { BackendError, InvalidationUnconfirmedError, type InvalidatingOperation } from '../errors.ts'
import type { RedisClient } from './client.ts'
import type { Gate } from './gate.ts'
import type { KeySpace } from './key-space.ts'
import { softenTag } from './scripts.ts'

/** More unconfirmed keys than this are given up for the one key on which every entry depends. */
const MAX_UNCONFIRMED = 10_000

const RETRY_MS = 1000

/**
 * Invalidates by deleting keys, of tags or of values. A token that was deleted never comes back, so there is
 * nothing to write and nothing to expire. After a deletion that Redis did not confirm, this backend neither serves
 * nor stores what depends on the key until a later one is. It tries again with whatever shows that Redis answers,
 * and from time to time, until the client is closed.
 */
export class Removals {
  readonly #client: RedisClient
  readonly #keys: KeySpace
  readonly #gate: Gate
  readonly #deadlineMs: number
  /** Each unconfirmed key with the number of its latest failure. */
  readonly #unconfirmed = new Map<string, number>()
  #failures = 0
  #retrying = false
  #timer: NodeJS.Timeout | undefined

  constructor(
    client: RedisClient,
    { keys, gate, deadlineMs }: { keys: KeySpace; gate: Gate; deadlineMs: number },
  ) {
    this.#client = client
    this.#keys = keys
    this.#gate = gate
    this.#deadlineMs = deadlineMs
  }

  /** Deletes the keys of tags. @throws {InvalidationUnconfirmedError} unless Redis confirmed */
  async removeTags(names: readonly string[], tags: readonly string[]): Promise<void> {
    if (names.length > 0) await this.remove('invalidateTags', [this.#keys.anyTag, ...names], tags)
  }

  /** Deletes keys. @throws {InvalidationUnconfirmedError} unless Redis confirmed */
  async remove(
    operation: InvalidatingOperation,
    names: readonly string[],
    tags: readonly string[] = [],
  ): Promise<void> {
    if (names.length === 0) return
    const earlierFailures = this.#failures
    try {
      await this.#gate.insist(operation, this.#deadlineMs, () => this.#delete(names))
    } catch (cause) {
      this.#failed(names)
      throw new InvalidationUnconfirmedError(operation, tags, { cause })
    }
    // A success makes up for failures before it began, not for those of attempts that were under way with it.
    for (const name of names) {
      if ((this.#unconfirmed.get(name) ?? Infinity) <= earlierFailures) this.#unconfirmed.delete(name)
    }
    this.retry()
  }

  /**
   * Makes stale what depends on tags. This is not tried again, and nothing is poisoned: what was to become stale may be
   * served until its ttl is over.
   * @throws {InvalidationUnconfirmedError} unless Redis confirmed
   */
  async soften(names: readonly string[], tags: readonly string[]): Promise<void> {
    try {
      await this.#gate.insist('invalidateTags', this.#deadlineMs, async () => {
        await this.#client.del([this.#keys.anyTag])
        await Promise.all(names.map((name) => softenTag(this.#client, name)))
      })
    } catch (cause) {
      throw new InvalidationUnconfirmedError('invalidateTags', tags, { cause })
    }
  }

  /** @throws {BackendError} when the deletion of one of the keys is not confirmed */
  check(names: readonly string[]): void {
    if (this.#unconfirmed.size === 0) return
    this.retry()
    if (names.some((name) => this.#unconfirmed.has(name))) {
      throw new BackendError('read', { cause: 'an invalidation is not confirmed' })
    }
  }

  /** Sends again what is not confirmed, unless there is nothing, Redis is away, or the client is closed. */
  retry(): void {
    if (this.#unconfirmed.size === 0 || this.#retrying || this.#client.status === 'end') return
    if (this.#gate.admits()) void this.#retry()
  }

  #failed(names: readonly string[]): void {
    this.#failures += 1
    for (const name of names) this.#unconfirmed.set(name, this.#failures)
    this.#retryLater()
    if (this.#unconfirmed.size <= MAX_UNCONFIRMED) return
    this.#unconfirmed.clear()
    this.#unconfirmed.set(this.#keys.namespace, this.#failures)
  }

  async #retry(): Promise<void> {
    this.#retrying = true
    try {
      await this.remove('invalidateTags', [...this.#unconfirmed.keys()])
    } catch {
      // Still unconfirmed.
    } finally {
      this.#retrying = false
    }
  }

  #retryLater(): void {
    if (this.#timer || this.#unconfirmed.size === 0 || this.#client.status === 'end') return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.retry()
      this.#retryLater()
    }, RETRY_MS).unref()
  }

  async #delete(names: readonly string[]): Promise<unknown> {
    if (!this.#client.isCluster) return this.#client.del(names.flatMap((name) => this.#keys.removed(name)))
    // A computation whose value has more tags reads their tokens before this one, so this one must be gone first.
    if (names.includes(this.#keys.anyTag)) await this.#client.del([this.#keys.anyTag])
    return Promise.all(names.map((name) => this.#deleteInTurn(this.#keys.removed(name))))
  }

  async #deleteInTurn(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#client.del([name])
  }
}
