import type { RedisClient } from '../redis/client.ts'
import { subscriberOf } from '../redis/subscriber.ts'

/** What a {@link Line} is told. */
export interface LineOptions {
  readonly node: RedisClient
  readonly isInCluster: boolean
  /** Where all processes announce what they change. */
  readonly sharedChannel: string
  /** Where this line sends its heartbeats to itself. */
  readonly ownChannel: string
  /** After this time without a heartbeat, though Redis took them, the connection is given up. */
  readonly silentMs: number
  readonly heard: (message: string) => void
  /** {@link Line.provenAt} is later than before. */
  readonly proven: () => void
  /** Something may have been missed. */
  readonly lost: () => void
  /** The Cluster has other nodes, or other slots on them. */
  readonly moved: () => void
  /** Redis refused a heartbeat, or there was no answer. */
  readonly failed: (error: unknown) => void
}

/**
 * One server and the connection that listens to it. A heartbeat is a message that this process sends to itself through the
 * server. Redis delivers to one connection in the order in which it executes, so when a heartbeat comes back, everything
 * has come that was announced through that server before the heartbeat was sent, if the connection is still the same.
 */
export class Line {
  /** When the latest heartbeat was sent that came back, as a moment of `performance.now()`. */
  provenAt: number = -Infinity
  readonly #options: LineOptions
  readonly #stops: readonly (() => void)[]
  #isListening = false
  #isUnderway = false
  #heardAt = performance.now()
  #topology: string | undefined

  constructor(options: LineOptions) {
    const { node, sharedChannel, ownChannel, heard } = options
    this.#options = options
    const subscriber = subscriberOf(node)
    this.#stops = [
      subscriber.whenLost(() => this.#lose()),
      subscriber.listen(sharedChannel, (message) => {
        if (message !== undefined) heard(message)
      }),
      // After the other one: a heartbeat that comes shows that both are listened to.
      subscriber.listen(ownChannel, (sentAt) => {
        if (sentAt === undefined) this.#begin()
        else this.#prove(Number(sentAt))
      }),
    ]
  }

  /** Sends a heartbeat, unless nobody listens yet or the last one is still under way. */
  async beat(): Promise<void> {
    if (!this.#isListening || this.#isUnderway) return
    this.#isUnderway = true
    const { node, isInCluster, ownChannel, silentMs, failed } = this.#options
    try {
      const [info] = await Promise.all([
        isInCluster ? node.cluster('INFO') : '',
        node.publish(ownChannel, String(performance.now())),
      ])
      this.#compare(topologyIn(String(info)))
      if (performance.now() - this.#heardAt > silentMs) this.#giveUp()
    } catch (error) {
      failed(error)
    } finally {
      this.#isUnderway = false
    }
  }

  close(): void {
    for (const stop of this.#stops) stop()
  }

  #begin(): void {
    this.#isListening = true
    void this.beat()
  }

  #prove(sentAt: number): void {
    this.#heardAt = performance.now()
    this.provenAt = Math.max(this.provenAt, sentAt)
    this.#options.proven()
  }

  #lose(): void {
    this.provenAt = -Infinity
    this.#options.lost()
  }

  #compare(topology: string): void {
    const before = this.#topology
    this.#topology = topology
    if (before !== undefined && before !== topology) this.#options.moved()
  }

  #giveUp(): void {
    this.#heardAt = performance.now()
    subscriberOf(this.#options.node).reconnect()
  }
}

/** Changes when a slot gets an owner that had none, and with each failover. */
function topologyIn(info: string): string {
  return [...info.matchAll(/^cluster_(?:current_epoch|size):\d+/gm)].join()
}
