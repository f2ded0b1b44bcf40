/** What one key held, or why it could not be read. */
export type Reply = Buffer | null | Error

interface Batch {
  /** Position of each key in the replies. */
  readonly positions: Map<string, number>
  readonly replies: Promise<readonly Reply[]>
}

/** More keys than this go into the next batch, so that one command never keeps Redis busy for long. */
const MAX_KEYS = 1000

/**
 * Reads keys in batches: everything asked for in one tick of the event loop goes out together, each key once. A
 * caller joins a batch only before it is sent, so what it gets was read after it asked.
 */
export class MultiGet {
  readonly #send: (keys: string[]) => Promise<readonly Reply[]>
  #collecting: Batch | undefined

  constructor(send: (keys: string[]) => Promise<readonly Reply[]>) {
    this.#send = send
  }

  /** What the keys hold, in their order. @throws the error of the first key that could not be read */
  async get(keys: readonly string[]): Promise<(Buffer | null)[]> {
    if (keys.length === 0) return []
    const { positions, replies } = this.#batch()
    const wanted = keys.map((key) => {
      const position = positions.get(key) ?? positions.size
      positions.set(key, position)
      return position
    })
    const all = await replies
    return wanted.map((position) => {
      const reply = all[position] ?? null
      if (reply instanceof Error) throw reply
      return reply
    })
  }

  #batch(): Batch {
    if (this.#collecting && this.#collecting.positions.size < MAX_KEYS) return this.#collecting
    const positions = new Map<string, number>()
    const replies = new Promise<readonly Reply[]>((resolve, reject) => {
      process.nextTick(() => {
        if (this.#collecting === batch) this.#collecting = undefined
        this.#send([...positions.keys()]).then(resolve, reject)
      })
    })
    const batch: Batch = { positions, replies }
    this.#collecting = batch
    return batch
  }
}
