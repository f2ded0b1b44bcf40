import { BackendError, InvalidationUnconfirmedError, type InvalidatingOperation } from '../errors.ts'
import type { Announcements } from './announcements.ts'
import type { RedisClient } from './client.ts'
import type { Gate } from './gate.ts'
import type { KeySpace } from './key-space.ts'
import type { Replicas } from './replicas.ts'
import { removeKeys, softenTag, type Told } from './scripts.ts'

/** So many unconfirmed keys are deleted by one command, which must keep within the deadline. */
const MAX_AT_ONCE = 5000

const RETRY_MS = 1000

interface RemovalsOptions {
  readonly keys: KeySpace
  readonly gate: Gate
  readonly replicas: Replicas
  readonly announcements: Announcements
  /** Called with keys before they are deleted or softly invalidated, and once more after, whether that is confirmed or not. */
  readonly forget: (names: readonly string[]) => void
}

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
  readonly #replicas: Replicas
  readonly #announcements: Announcements
  readonly #forget: RemovalsOptions['forget']
  /**
   * Each unconfirmed key with the number of its latest failure. There is no bound: a key that is forgotten leaves others
   * with what it was to invalidate, and no other key stands for those of tags, which caches of other prefixes share.
   */
  readonly #unconfirmed = new Map<string, number>()
  #failures = 0
  #retrying = false
  #timer: NodeJS.Timeout | undefined

  constructor(client: RedisClient, { keys, gate, replicas, announcements, forget }: RemovalsOptions) {
    this.#client = client
    this.#keys = keys
    this.#gate = gate
    this.#replicas = replicas
    this.#announcements = announcements
    this.#forget = forget
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
      await this.#forgetting(names, () => this.#replicas.confirm(operation, () => this.#delete(names)))
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
      await this.#forgetting(names, () =>
        this.#replicas.confirm('invalidateTags', async () => {
          await this.#client.del([this.#keys.anyTag])
          await Promise.all(
            names.map(async (name) => this.#told(await softenTag(this.#client, name, this.#telling([name])))),
          )
        }),
      )
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

  /**
   * What is read meanwhile may be from before the deletion, so what is kept of it is forgotten as well. A deletion that
   * fails may still be executed: its keys are unconfirmed then.
   */
  async #forgetting(names: readonly string[], invalidate: () => Promise<unknown>): Promise<void> {
    this.#forget(names)
    try {
      await invalidate()
    } finally {
      this.#forget(names)
    }
  }

  #failed(names: readonly string[]): void {
    this.#failures += 1
    for (const name of names) this.#unconfirmed.set(name, this.#failures)
    this.#retryLater()
  }

  async #retry(): Promise<void> {
    this.#retrying = true
    const names = [...this.#unconfirmed.keys()]
    for (let first = 0; first < names.length && this.#gate.admits(); first += MAX_AT_ONCE) {
      const some = names.slice(first, first + MAX_AT_ONCE)
      // What fails stays unconfirmed. No tag may be deleted before the key that every invalidation of tags deletes.
      await this.remove('invalidateTags', [...new Set([this.#keys.anyTag, ...some])]).catch(() => undefined)
    }
    this.#retrying = false
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
    if (!this.#client.isCluster) {
      const all = names.flatMap((name) => this.#keys.removed(name))
      return this.#told(await removeKeys(this.#client, all, this.#telling(names)))
    }
    // A computation whose value has more tags reads their tokens before this one, so this one must be gone first.
    if (names.includes(this.#keys.anyTag)) await this.#client.del([this.#keys.anyTag])
    return Promise.all(names.map((name) => this.#deleteInTurn(name)))
  }

  async #deleteInTurn(name: string): Promise<void> {
    for (const key of this.#keys.removed(name)) {
      if (key === name) this.#told(await removeKeys(this.#client, [name], this.#telling([name])))
      else await this.#client.del([key])
    }
  }

  #telling(names: readonly string[]): Told {
    return { channel: this.#announcements.channel, message: this.#announcements.removed(names) }
  }

  #told(failure: string | undefined): void {
    if (failure !== undefined) this.#announcements.failed(failure)
  }
}
