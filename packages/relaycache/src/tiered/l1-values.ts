import type { Shared } from '../backend.ts'
import type { InMemoryCache } from '../memory/in-memory-cache.ts'
import type { KeySpace } from '../redis/key-space.ts'
import { lifeIn } from '../redis/entry.ts'
import type { Held, LocalValues, Moment, Trusted } from '../redis/local-values.ts'

/** What Redis has lost meanwhile, and nobody asks for, does not stay in memory longer than this. */
const MAX_AGE_MS = 3_600_000

/**
 * Keeps values together with their proofs in an {@link InMemoryCache}, which bounds and isolates them. None is trusted:
 * each is compared with Redis whenever it is asked for.
 */
export class L1Values implements LocalValues {
  readonly #l1: InMemoryCache
  readonly #keys: KeySpace

  constructor(l1: InMemoryCache, keys: KeySpace) {
    this.#l1 = l1
    this.#keys = keys
  }

  find(name: string): Held | undefined {
    const found = this.#l1.peek(this.#keys.keyOf(name) ?? '')
    return found.hit && isHeld(found.value) ? found.value : undefined
  }

  keep(name: string, held: Held, _since?: Moment): Shared | undefined {
    return this.hold(name, held)
  }

  checked(isCurrent: boolean): void {
    this.#l1.counters[isCurrent ? 'hits' : 'misses'] += 1
  }

  confirmed(_name: string, _held: Held, _since: Moment): void {}

  trusted(_key: string): Trusted | undefined {
    return undefined
  }

  moment(_name: string): Moment | undefined {
    return undefined
  }

  forget(_names: readonly string[]): void {}

  stored(_name: string, _stamp: string): void {}

  /** Keeps a value until Redis cannot have it any more, at the longest, or one of the tags is dropped. */
  protected hold(name: string, held: Held, tags: readonly string[] = []): Shared | undefined {
    const capture = this.#l1.renew(this.#keys.keyOf(name) ?? '', () => tags)
    const shared = this.#l1.store(capture, held, Math.min(lifeIn(held.stamp), MAX_AGE_MS))
    this.#l1.release(capture)
    // What cannot be isolated, or is too large, comes back as it was given: for one reader only.
    if (this.find(name)?.stamp !== held.stamp) return undefined
    return { own: (shared.own as Held).value, copy: () => (shared.copy() as Held).value }
  }
}

/** Whether it was kept here: nothing keeps a user from storing other values in the same memory. */
export function isHeld(value: unknown): value is Held {
  return typeof value === 'object' && value !== null && 'stamp' in value && 'dependencies' in value
}
