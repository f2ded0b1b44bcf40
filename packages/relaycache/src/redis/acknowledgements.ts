import type { DuplicateClient, RedisClient } from './client.ts'
import { isReply } from './gate.ts'

/** The connection is made anew when it is next needed, instead of trying again and again meanwhile. */
const OPTIONS = {
  lazyConnect: false,
  enableOfflineQueue: true,
  retryStrategy: null,
  commandTimeout: 1000,
}

/** With so many replicas to wait for, WAIT always asks. */
const MORE_REPLICAS_THAN_THERE_ARE = 1_000_000

/**
 * Makes the replicas of a server say at once how far they are, which they otherwise do once a second. Only WAIT does that,
 * and Redis may end one of 1 ms as late as with its next timer. So it is sent over a connection of its own, which is
 * opened when it is first needed, closed with the client, and never keeps the process alive.
 */
class Asking {
  readonly #node: RedisClient
  #connection: DuplicateClient | undefined
  #isUnderWay = false

  constructor(node: RedisClient) {
    this.#node = node
    node.on('end', () => this.#connection?.disconnect())
  }

  ask(): void {
    if (this.#isUnderWay || this.#node.status === 'end') return
    this.#isUnderWay = true
    const connection = (this.#connection ??= this.#connect())
    connection
      .wait(MORE_REPLICAS_THAN_THERE_ARE, 1)
      .catch((error: unknown) => {
        if (!isReply(error)) connection.disconnect()
      })
      .finally(() => {
        this.#isUnderWay = false
      })
  }

  #connect(): DuplicateClient {
    const connection = this.#node.duplicate(OPTIONS)
    // Whatever ails this connection, the client of the user meets it too and reports it.
    connection.on('error', () => undefined)
    connection.on('connect', () => connection.stream?.unref())
    connection.on('end', () => {
      this.#connection = undefined
    })
    return connection
  }
}

const askings = new WeakMap<RedisClient, Asking>()

/**
 * Has the replicas of a server say how far they are. Never fails: without it, they only say so later.
 */
export function askForAcknowledgements(node: RedisClient): void {
  let asking = askings.get(node)
  if (!asking) askings.set(node, (asking = new Asking(node)))
  asking.ask()
}
