import { AsyncLocalStorage } from 'node:async_hooks'

interface Write {
  /** Of everything that it changed so far. */
  readonly tags: Set<string>
  readonly outer: Write | undefined
  hasEnded: boolean
}

/**
 * Tells within which `write()` code runs. What a `write()` started and did not wait for keeps its async context after it
 * ended, and nobody would invalidate any more what it adds: it counts as outside from then on.
 */
export class Writes {
  readonly #writes = new AsyncLocalStorage<Write>()

  /** What the innermost `write()` under way has changed, to be added to. `undefined` outside of all. */
  get tags(): Set<string> | undefined {
    return this.#current()?.tags
  }

  /** Runs `run`, and collects in `tags` what it changes, which the `write()` around it, if any, has then changed as well. */
  async collect<T>(tags: Set<string>, run: () => PromiseLike<T> | T): Promise<T> {
    const write: Write = { tags, outer: this.#current(), hasEnded: false }
    try {
      return await this.#writes.run(write, async () => run())
    } finally {
      write.hasEnded = true
      const outer = underWay(write)
      for (const tag of tags) outer?.tags.add(tag)
    }
  }

  #current(): Write | undefined {
    return underWay(this.#writes.getStore())
  }
}

function underWay(innermost: Write | undefined): Write | undefined {
  let write = innermost
  while (write?.hasEnded) write = write.outer
  return write
}
