/** What one key held, or why it could not be read. */
export type Reply = Buffer | null | Error

interface Batch {
  /** Position of each key in the replies. */
  readonly positions: Map<string, number>
  /** Position of each key whose stamp is wanted, behind all those. */
  readonly stamped: Map<string, number>
  readonly replies: Promise<readonly Reply[]>
}

/** Reads keys, and the stamps of what further keys hold. Replies in this order. */
type Send = (keys: string[], stamped: string[]) => Promise<readonly Reply[]>

/** More keys than this go into the next batch, so that one command never keeps Redis busy for long. */
const MAX_KEYS = 1000

/**
 * Reads keys in batches: everything asked for in one tick of the event loop goes out together, each key once. A
 * caller joins a batch only before it is sent, so what it gets was read after it asked.
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
    const batch = this.#batch()
    const wanted = keys.map((key) => positionOf(key, batch.positions))
    const stamp = stamped === undefined ? undefined : positionOf(stamped, batch.stamped)
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

  #batch(): Batch {
    if (this.#collecting && sizeOf(this.#collecting) < MAX_KEYS) return this.#collecting
    const positions = new Map<string, number>()
    const stamped = new Map<string, number>()
    const replies = new Promise<readonly Reply[]>((resolve, reject) => {
      process.nextTick(() => {
        if (this.#collecting === batch) this.#collecting = undefined
        this.#send([...positions.keys()], [...stamped.keys()]).then(resolve, reject)
      })
    })
    const batch: Batch = { positions, stamped, replies }
    this.#collecting = batch
    return batch
  }
}

function positionOf(key: string, positions: Map<string, number>): number {
  const known = positions.get(key)
  if (known !== undefined) return known
  const position = positions.size
  positions.set(key, position)
  return position
}

function sizeOf({ positions, stamped }: Batch): number {
  return positions.size + stamped.size
}
