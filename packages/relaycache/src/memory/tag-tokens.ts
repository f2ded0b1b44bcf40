/** The state of a tag between two invalidations. Entries hold the tokens of their tags; an invalidation kills them. */
export interface Token {
  readonly tag: string
  alive: boolean
  /** What a soft invalidation put in the place of this token. It is held by this one. */
  successor: Token | undefined
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
      if (!token) this.#current.set(tag, (token = newToken(tag)))
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
      if (token.holders > 0) continue
      if (token.alive) this.#current.delete(token.tag)
      if (token.successor) this.release([token.successor])
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

  /** Gives the tags new tokens. What holds the old ones is stale, until the new ones are killed. */
  soften(tags: Iterable<string>): void {
    for (const tag of tags) {
      const token = this.#current.get(tag)
      if (!token) continue
      token.alive = false
      token.successor = { ...newToken(tag), holders: 1 }
      this.#current.set(tag, token.successor)
    }
  }
}

function newToken(tag: string): Token {
  return { tag, alive: true, successor: undefined, holders: 0 }
}

/** Whether nothing was invalidated since the tokens were taken. */
export function areAlive(tokens: readonly Token[]): boolean {
  for (const token of tokens) if (!token.alive) return false
  return true
}

/** Whether nothing was invalidated since the tokens were taken, but softly. */
export function areServable(tokens: readonly Token[]): boolean {
  return tokens.every((token) => {
    let latest: Token | undefined = token
    while (latest && !latest.alive) latest = latest.successor
    return latest !== undefined
  })
}
