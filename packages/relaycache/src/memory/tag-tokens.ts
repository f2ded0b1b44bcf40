/** The state of a tag between two invalidations. Entries hold the tokens of their tags; an invalidation kills them. */
export interface Token {
  readonly tag: string
  alive: boolean
  /** Entries and captures that hold the token. The tag is forgotten with the last one. */
  holders: number
}

/** The current token of every tag that something holds. Tokens are told apart by identity and never come back. */
export class TagTokens {
  readonly #current = new Map<string, Token>()

  get size(): number {
    return this.#current.size
  }

  /** The current tokens of `tags`, held until {@link release}. */
  hold(tags: readonly string[]): readonly Token[] {
    return tags.map((tag) => {
      let token = this.#current.get(tag)
      if (!token) this.#current.set(tag, (token = { tag, alive: true, holders: 0 }))
      token.holders += 1
      return token
    })
  }

  /** Whether `tokens` are the current tokens of exactly these tags. */
  areCurrent(tokens: readonly Token[], tags: readonly string[]): boolean {
    return (
      tokens.length === tags.length && tags.every((tag, index) => this.#current.get(tag) === tokens[index])
    )
  }

  release(tokens: readonly Token[]): void {
    for (const token of tokens) {
      token.holders -= 1
      if (token.holders === 0 && token.alive) this.#current.delete(token.tag)
    }
  }

  kill(tags: Iterable<string>): void {
    for (const tag of tags) {
      const token = this.#current.get(tag)
      if (!token) continue
      token.alive = false
      this.#current.delete(tag)
    }
  }
}

/** Whether nothing was invalidated since the tokens were taken. */
export function areAlive(tokens: readonly Token[]): boolean {
  for (const token of tokens) if (!token.alive) return false
  return true
}
