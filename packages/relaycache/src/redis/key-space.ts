/** The names of the keys in Redis, as the client takes them: before its own `keyPrefix`. */
export class KeySpace {
  /** The key on which every entry depends. Deleting it clears the cache. */
  readonly namespace: string
  readonly #valuePrefix: string
  readonly #tagPrefix: string

  constructor(valuePrefix: string, metaPrefix: string) {
    this.namespace = `${metaPrefix}n:${valuePrefix}`
    this.#valuePrefix = `${valuePrefix}{`
    this.#tagPrefix = `${metaPrefix}t:`
  }

  /** The braces let keys that belong to one value share a slot of a Cluster. */
  value(key: string): string {
    return `${this.#valuePrefix}${key}}`
  }

  tag(tag: string): string {
    return this.#tagPrefix + tag
  }

  /** The opposite of {@link value}; `undefined` for the name of another key. */
  keyOf(name: string): string | undefined {
    return name.startsWith(this.#valuePrefix) ? name.slice(this.#valuePrefix.length, -1) : undefined
  }

  isTag(name: string): boolean {
    return name.startsWith(this.#tagPrefix)
  }
}
