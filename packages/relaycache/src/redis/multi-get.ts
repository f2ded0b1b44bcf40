/** What one key held, or why it could not be read. */
export type Reply = Buffer | null | Error

interface Batch {
  /** Position of each key in the replies. */
  readonly positions: Map<string, number>
  /** Position of each key whose stamp is wanted, behind all those. */
  readonly stamped: Map<string, number>
  readonly replies: Promise<readonly Reply[]>
  readonly resolve: (replies: Promise<readonly Reply[]>) => void
}

/** Reads keys, and the stamps of what further keys hold. Replies in this order. */
type Send = (keys: string[], stamped: string[]) => Promise<readonly Reply[]>

/**
 * A batch of so many keys is sent before the tick is over: Redis looks for them while the next one is collected, and one
 * command never keeps it busy for long.
 */
const FULL = 80

/**
 * Reads keys in batches: what is asked for in one tick of the event loop goes out together, each key once. A caller
 * joins a batch only before it is sent, so what it gets was read after it asked.
 */
export class MultiGet {
  readonly #send: Send
  #collecting: Batch | undefined

  constructor(send: Send) {
    this.#send = send
  }

  /**
   * What the keys hold, in their order; with `stamped`, after the stamp of what that key holds.
   * @throws the error of the first key that could not be read
   */
  get(keys: readonly string[], stamped?: string): Promise<(Buffer | null)[]> {
    if (keys.length === 0) return Promise.resolve([])
    const batch = (this.#collecting ??= this.#open())
    const wanted = keys.map((key) => positionOf(key, batch.positions))
    const stamp = stamped === undefined ? undefined : positionOf(stamped, batch.stamped)
    if (batch.positions.size + batch.stamped.size >= FULL) this.#close(batch)
    return batch.replies.then((all) => {
      // Nothing joins the batch any more: the stamps begin behind the last key.
      if (stamp !== undefined) wanted.unshift(batch.positions.size + stamp)
      return wanted.map((position) => {
        const reply = all[position] ?? null
        if (reply instanceof Error) throw reply
        return reply
      })
    })
  }

  #open(): Batch {
    let resolve: Batch['resolve'] = () => {}
    const replies = new Promise<readonly Reply[]>((settle) => (resolve = settle))
    const batch: Batch = { positions: new Map(), stamped: new Map(), replies, resolve }
    process.nextTick(() => this.#close(batch))
    return batch
  }

  #close(batch: Batch): void {
    if (this.#collecting !== batch) return
    this.#collecting = undefined
    batch.resolve(this.#send([...batch.positions.keys()], [...batch.stamped.keys()]))
  }
}

function positionOf(key: string, positions: Map<string, number>): number {
  const known = positions.get(key)
  if (known !== undefined) return known
  const position = positions.size
  positions.set(key, position)
  return position
}
