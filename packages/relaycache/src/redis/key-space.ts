/** Keys that would leave nothing between the braces, and those that such keys become. */
const EMPTY_IN_BRACES = /^-*(?:\}|$)/

/** The names of the keys in Redis, as the client takes them: before its own `keyPrefix`. */
export class KeySpace {
  /** The key on which every entry depends. Deleting it clears the cache. */
  readonly namespace: string
  /** Deleted with every tag that is invalidated, and before it where that is not one step. */
  readonly anyTag: string
  readonly #valuePrefix: string
  readonly #tagPrefix: string

  constructor(valuePrefix: string, metaPrefix: string) {
    this.namespace = `${metaPrefix}n:${valuePrefix}`
    this.anyTag = `${metaPrefix}any`
    this.#valuePrefix = `${valuePrefix}{`
    this.#tagPrefix = `${metaPrefix}t:`
  }

  /** The braces let keys that belong to one value share a slot of a Cluster; an empty pair would not. */
  value(key: string): string {
    return `${this.#valuePrefix}${EMPTY_IN_BRACES.test(key) ? `-${key}` : key}}`
  }

  /** Keeps the token of a value that is being renewed. */
  renewed(valueName: string): string {
    return `${valueName}:r`
  }

  /**
   * What to delete to remove a value or a tag, in this order: with the key of a value first, a computation could
   * store another one before the token kept beside it is gone.
   */
  removed(name: string): readonly string[] {
    return this.keyOf(name) === undefined ? [name] : [this.renewed(name), name]
  }

  tag(tag: string): string {
    return this.#tagPrefix + tag
  }

  tags(tags: readonly string[]): string[] {
    return tags.map((tag) => this.#tagPrefix + tag)
  }

  /** The opposite of {@link value}; `undefined` for the name of another key. */
  keyOf(name: string): string | undefined {
    if (!name.startsWith(this.#valuePrefix) || !name.endsWith('}')) return undefined
    const key = name.slice(this.#valuePrefix.length, -1)
    return key.startsWith('-') && EMPTY_IN_BRACES.test(key) ? key.slice(1) : key
  }

  isTag(name: string): boolean {
    return name.startsWith(this.#tagPrefix)
  }
}
