import type { Shared } from '../backend.ts'
import type { InMemoryCache } from '../memory/in-memory-cache.ts'
import type { Held, LocalValues } from '../redis/local-values.ts'
import { NO_TAGS } from '../tags.ts'

/** What Redis has lost meanwhile, and nobody asks for, does not stay in memory longer than this. */
const MAX_AGE_MS = 3_600_000

/** Keeps values together with their proofs in an {@link InMemoryCache}, which bounds and isolates them. */
export class L1Values implements LocalValues {
  readonly #l1: InMemoryCache

  constructor(l1: InMemoryCache) {
    this.#l1 = l1
  }

  find(name: string): Held | undefined {
    const found = this.#l1.peek(name)
    return found.hit && isHeld(found.value) ? found.value : undefined
  }

  keep(name: string, held: Held): Shared | undefined {
    const capture = this.#l1.renew(name, NO_TAGS)
    const shared = this.#l1.store(capture, held, MAX_AGE_MS)
    this.#l1.release(capture)
    // What cannot be isolated, or is too large, comes back as it was given: for one reader only.
    if (this.find(name)?.stamp !== held.stamp) return undefined
    return { own: (shared.own as Held).value, copy: () => (shared.copy() as Held).value }
  }

  checked(isCurrent: boolean): void {
    this.#l1.counters[isCurrent ? 'hits' : 'misses'] += 1
  }
}

/** Nothing keeps a user from storing other values in the same memory. */
function isHeld(value: unknown): value is Held {
  return typeof value === 'object' && value !== null && 'stamp' in value && 'dependencies' in value
}
