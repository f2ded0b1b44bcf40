import { BackendError, InvalidationUnconfirmedError, type InvalidatingOperation } from '../errors.ts'
import type { RedisClient } from './client.ts'
import type { Gate } from './gate.ts'
import type { KeySpace } from './key-space.ts'

/** More unconfirmed keys than this are given up for the one key on which every entry depends. */
const MAX_UNCONFIRMED = 10_000

/**
 * Invalidates by deleting keys, of tags or of values. A token that was deleted never comes back, so there is
 * nothing to write and nothing to expire. After a deletion that Redis did not confirm, this process neither serves
 * nor stores what depends on the key until a later one is; it tries again once Redis answers.
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

  constructor(
    client: RedisClient,
    { keys, gate, deadlineMs }: { keys: KeySpace; gate: Gate; deadlineMs: number },
  ) {
    this.#client = client
    this.#keys = keys
    this.#gate = gate
    this.#deadlineMs = deadlineMs
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
      await this.#gate.insist(operation, this.#deadlineMs, () => this.#delete([...names]))
    } catch (cause) {
      this.#failed(names)
      throw new InvalidationUnconfirmedError(operation, tags, { cause })
    }
    // A success makes up for failures before it began, not for those of attempts that were under way with it.
    for (const name of names) {
      if ((this.#unconfirmed.get(name) ?? Infinity) <= earlierFailures) this.#unconfirmed.delete(name)
    }
  }

  /** @throws {BackendError} when the deletion of one of the keys is not confirmed */
  check(names: readonly string[]): void {
    if (this.#unconfirmed.size === 0) return
    void this.#retry()
    if (names.some((name) => this.#unconfirmed.has(name))) {
      throw new BackendError('read', { cause: 'an invalidation is not confirmed' })
    }
  }

  #failed(names: readonly string[]): void {
    this.#failures += 1
    for (const name of names) this.#unconfirmed.set(name, this.#failures)
    if (this.#unconfirmed.size <= MAX_UNCONFIRMED) return
    this.#unconfirmed.clear()
    this.#unconfirmed.set(this.#keys.namespace, this.#failures)
  }

  async #retry(): Promise<void> {
    if (this.#retrying || !this.#gate.admits()) return
    this.#retrying = true
    try {
      await this.remove('invalidateTags', [...this.#unconfirmed.keys()])
    } catch {
      // Still unconfirmed: the next read tries again.
    } finally {
      this.#retrying = false
    }
  }

  async #delete(names: string[]): Promise<unknown> {
    if (!this.#client.isCluster) return this.#client.del(names)
    return Promise.all(names.map((name) => this.#client.del([name])))
  }
}
