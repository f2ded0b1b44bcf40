import type { RedisClient } from '../redis/client.ts'
import { subscriberOf } from '../redis/subscriber.ts'

/** After this time without a heartbeat, though Redis took them, the connection is given up. */
const SILENT_MS = 3000

/** What a {@link Line} is told. */
export interface LineOptions {
  readonly node: RedisClient
  readonly isInCluster: boolean
  /** Where all processes announce what they change. */
  readonly sharedChannel: string
  /** Where this line sends its heartbeats to itself. */
  readonly ownChannel: string
  readonly heard: (message: string) => void
  /** {@link Line.provenAt} is later than before. */
  readonly proven: () => void
  /** Something may have been missed. */
  readonly lost: () => void
  /** The Cluster has other nodes, or other slots on them. */
  readonly moved: () => void
  /** Redis refused a heartbeat or to listen, or there was no answer. */
  readonly failed: (operation: 'publish' | 'subscribe', error: unknown) => void
}

/**
 * One server and the connection that listens to it. A heartbeat is a message that this process sends to itself through the
 * server. Redis delivers to one connection in the order in which it executes, so when a heartbeat comes back, everything
 * has come that was announced through that server before the heartbeat was sent, and since this connection listens to
 * announcements.
 */
export class Line {
  /** When the latest heartbeat was sent that proves something, as a moment of `performance.now()`. */
  provenAt: number = -Infinity
  readonly #options: LineOptions
  readonly #subscriber: ReturnType<typeof subscriberOf>
  readonly #stops: readonly (() => void)[]
  /** The channels that Redis has confirmed over the present connection. */
  readonly #confirmed = new Set<string>()
  /** When the heartbeat was sent that is under way. */
  #underwayAt = -Infinity
  /** Since when Redis takes heartbeats of which none comes back. */
  #silentSince: number | undefined
  #topology: string | undefined

  constructor(options: LineOptions) {
    const { node, sharedChannel, ownChannel, heard, failed } = options
    this.#options = options
    this.#subscriber = subscriberOf(node)
    const listen = (channel: string, receive: (message: string) => void): (() => void) =>
      this.#subscriber.listen(
        channel,
        (message) => (message === undefined ? this.#begin(channel) : receive(message)),
        (error) => failed('subscribe', error),
      )
    this.#stops = [
      this.#subscriber.whenLost(() => this.#lose()),
      listen(sharedChannel, heard),
      listen(ownChannel, (sentAt) => this.#prove(Number(sentAt))),
    ]
  }

  /** Sends a heartbeat, unless one is under way that Redis may still take. */
  async beat(): Promise<void> {
    const sentAt = performance.now()
    if (sentAt - this.#underwayAt < SILENT_MS) return
    this.#underwayAt = sentAt
    this.#subscriber.open()
    const { node, isInCluster, ownChannel, failed } = this.#options
    try {
      const [info] = await Promise.all([
        isInCluster ? node.cluster('INFO') : '',
        node.publish(ownChannel, String(sentAt)),
      ])
      this.#compare(topologyIn(String(info)))
      this.#watch(sentAt)
    } catch (error) {
      failed('publish', error)
    } finally {
      if (this.#underwayAt === sentAt) this.#underwayAt = -Infinity
    }
  }

  close(): void {
    for (const stop of this.#stops) stop()
  }

  get #isListening(): boolean {
    return this.#confirmed.size === 2
  }

  #begin(channel: string): void {
    this.#confirmed.add(channel)
    if (!this.#isListening) return
    // One that is under way may have passed before.
    this.#underwayAt = -Infinity
    void this.beat()
  }

  #prove(sentAt: number): void {
    if (!this.#isListening) return
    this.#silentSince = undefined
    this.provenAt = Math.max(this.provenAt, sentAt)
    this.#options.proven()
  }

  #lose(): void {
    this.#confirmed.clear()
    this.provenAt = -Infinity
    this.#options.lost()
  }

  #compare(topology: string): void {
    const before = this.#topology
    this.#topology = topology
    if (before !== undefined && before !== topology) this.#options.moved()
  }

  /** Redis took this heartbeat; it may have come back before or be about to. */
  #watch(sentAt: number): void {
    if (this.provenAt >= sentAt) return
    const now = performance.now()
    this.#silentSince ??= now
    if (now - this.#silentSince <= SILENT_MS) return
    this.#silentSince = undefined
    this.#subscriber.reconnect()
  }
}

/** Changes when a slot gets an owner that had none, and with each failover. */
function topologyIn(info: string): string {
  return [...info.matchAll(/^cluster_(?:current_epoch|size):\d+/gm)].join()
}
