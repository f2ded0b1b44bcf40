/** More names than this are given up: then nothing older counts as untouched. */
const MAX_NAMES = 10_000

interface Item {
  readonly order: number
  /** Of the value that was stored; `undefined` for a removal. */
  readonly stamp: string | undefined
  /** The order of the item about the same name before this one. */
  readonly previous: number
}

/**
 * Which keys were invalidated or stored anew, and in which order. What was read before must not be kept as current: the
 * reply of a read may be older than the news that has overtaken it on another connection.
 */
export class News {
  #order = 0
  readonly #latest = new Map<string, Item>()
  /** Of what came before, not all is known. */
  #knownSince = 0

  /** How much there was until now. */
  get order(): number {
    return this.#order
  }

  /** Adds a removal, or with `stamp` that a value was stored. Heard twice, that is no news. */
  add(names: readonly string[], stamp?: string): void {
    this.#order += 1
    for (const name of names) {
      const before = this.#latest.get(name)
      if (stamp !== undefined && before?.stamp === stamp) continue
      this.#latest.set(name, { order: this.#order, stamp, previous: before?.order ?? 0 })
    }
    if (this.#latest.size <= MAX_NAMES) return
    this.#latest.clear()
    this.#knownSince = this.#order
  }

  /** Whether something about the name came after `since`, other than that the value with this stamp was stored. */
  isAboutKey(name: string, { since, except }: { since: number; except?: string }): boolean {
    if (since < this.#knownSince) return true
    const latest = this.#latest.get(name)
    if (!latest || latest.order <= since) return false
    return latest.stamp === undefined || latest.stamp !== except || latest.previous > since
  }

  /** Whether something about one of the names came after `since`. */
  isAboutAny(names: readonly string[], since: number): boolean {
    return names.some((name) => this.isAboutKey(name, { since }))
  }
}
