import type { RedisClient } from './client.ts'
import { STAMP_RANGE } from './entry.ts'
import { isReply, type Gate } from './gate.ts'
import { MultiGet, type Reply } from './multi-get.ts'
import type { Removals } from './removals.ts'

interface KeyReaderOptions {
  readonly gate: Gate
  readonly removals: Removals
}

/** Reads what keys hold, of all callers of one tick together. */
export class KeyReader {
  readonly #client: RedisClient
  readonly #gate: Gate
  readonly #removals: Removals
  readonly #gets: MultiGet

  constructor(client: RedisClient, { gate, removals }: KeyReaderOptions) {
    this.#client = client
    this.#gate = gate
    this.#removals = removals
    this.#gets = new MultiGet((names, stamped) => this.#fetch(names, stamped))
  }

  /**
   * What the keys hold, in their order; with `stamped`, after the stamp of the value that key holds. Rejects when Redis
   * fails, and when the deletion of one of the keys is not confirmed.
   */
  get(names: readonly string[], stamped?: string): Promise<(Buffer | null)[]> {
    try {
      this.#removals.check(stamped === undefined ? names : [stamped, ...names])
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#gets.get(names, stamped)
  }

  /**
   * One MGET, and a GETRANGE for each stamp, sent together; in a Cluster, where keys live apart, one GET for each key,
   * all under way together.
   */
  async #fetch(names: string[], stamped: string[]): Promise<readonly Reply[]> {
    if (!this.#client.isCluster) {
      return this.#gate.run('read', async () => {
        const [replies, stamps] = await Promise.all([
          this.#client.mgetBuffer(names),
          Promise.all(stamped.map((name) => this.#stampOf(name))),
        ])
        return [...replies, ...stamps]
      })
    }
    const attempt = (send: () => Promise<Buffer | null>): Promise<Reply> =>
      this.#gate.run('read', send).catch((error: Error) => error)
    return Promise.all([
      ...names.map((name) => attempt(() => this.#client.getBuffer(name))),
      ...stamped.map((name) => attempt(() => this.#stampOf(name))),
    ])
  }

  /** Nothing where the key holds something else than a string. */
  async #stampOf(name: string): Promise<Buffer | null> {
    try {
      return await this.#client.getrangeBuffer(name, ...STAMP_RANGE)
    } catch (error) {
      if (isReply(error)) return null
      throw error
    }
  }
}
