/** A tag between two ordinary invalidations. */
class Tag {
  readonly name: string
  /** Whether what was stored with it may still be served, were it only as stale. */
  servable = true
  /** Entries and captures that hold tokens of the tag. It is forgotten with the last one. */
  holders = 0
  /** Every soft invalidation puts another one in its place. */
  token: Token = { tag: this, alive: true }

  constructor(name: string) {
    this.name = name
  }
}

/** The state of a tag between two invalidations. Entries hold the tokens of their tags; an invalidation kills them. */
export interface Token {
  readonly tag: Tag
  alive: boolean
}

/** The current token of every tag that something holds. Tokens are told apart by identity and never come back. */
export class TagTokens {
  readonly #tags = new Map<string, Tag>()

  get size(): number {
    return this.#tags.size
  }

  /** The current tokens of `tags`, held until {@link release}. */
  hold(tags: readonly string[]): readonly Token[] {
    return tags.map((name) => {
      let tag = this.#tags.get(name)
      if (!tag) this.#tags.set(name, (tag = new Tag(name)))
      tag.holders += 1
      return tag.token
    })
  }

  /** Whether `tokens` are the current tokens of exactly these tags. */
  areCurrent(tokens: readonly Token[], tags: readonly string[]): boolean {
    return (
      tokens.length === tags.length &&
      tags.every((name, index) => this.#tags.get(name)?.token === tokens[index])
    )
  }

  release(tokens: readonly Token[]): void {
    for (const { tag } of tokens) {
      tag.holders -= 1
      // One that was killed may have made way for another of its name.
      if (tag.holders === 0 && tag.servable) this.#tags.delete(tag.name)
    }
  }

  kill(tags: Iterable<string>): void {
    for (const name of tags) {
      const tag = this.#tags.get(name)
      if (!tag) continue
      tag.servable = false
      tag.token.alive = false
      this.#tags.delete(name)
    }
  }

  /** Gives the tags new tokens. What holds older ones is stale, until the tag is killed. */
  soften(tags: Iterable<string>): void {
    for (const name of tags) {
      const tag = this.#tags.get(name)
      if (!tag) continue
      tag.token.alive = false
      tag.token = { tag, alive: true }
    }
  }
}

/** Whether nothing was invalidated since the tokens were taken. */
export function areAlive(tokens: readonly Token[]): boolean {
  for (const token of tokens) if (!token.alive) return false
  return true
}

/** Whether nothing was invalidated since the tokens were taken, but softly. */
export function areServable(tokens: readonly Token[]): boolean {
  return tokens.every(({ tag }) => tag.servable)
}
