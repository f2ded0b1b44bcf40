import type { RedisClient } from '../redis/client.ts'
import { Line, type LineOptions } from './line.ts'

/** Heartbeats in the time of a lease: some may be late or lost. */
const BEATS = 4

/** However long the lease is, a line that is open again is not noticed later. */
const MAX_BEAT_MS = 1000

/** After this time without use nothing is sent and listened to any more. */
const IDLE_MS = 10_000

let sessions = 0

interface LeaseOptions extends Pick<LineOptions, 'sharedChannel' | 'heard' | 'failed'> {
  readonly leaseMs: number
  /** A channel for each number. */
  readonly ownChannel: (id: number) => string
  /** Called with each round of heartbeats. */
  readonly beating: () => void
}

/**
 * Tells how long values in memory may be served without asking Redis.
 *
 * Rule: while a session lasts, whatever was announced before the lease began has been heard. The lease begins when the
 * heartbeat was sent (and not when it came back) that is, of the latest ones through each master, the oldest; and it ends
 * `leaseMs` later by the monotonic clock of this process. So at any moment at which the lease is not over, what can be
 * unheard is younger than `leaseMs`. An announcement is made in the script that deletes or stores, hence before the caller
 * is told that it is done.
 *
 * In a Cluster each master has a line of its own. Messages also go from node to node, but when a connection between two
 * nodes breaks, they are lost without a trace, and a later heartbeat over the same way would prove nothing.
 *
 * A session ends when a connection is lost, when the lease runs out, and when a Cluster gets other masters. It never
 * goes on: there is another one, in which nothing from before is trusted.
 */
export class Lease {
  readonly #client: RedisClient
  readonly #options: LeaseOptions
  readonly #lines = new Map<RedisClient, Line>()
  #session = 0
  /** When the lease is over; `-Infinity` without a session. */
  #until = -Infinity
  #timer: NodeJS.Timeout | undefined
  #usedAt = 0
  #isUsed = false
  #linesOpened = 0

  constructor(client: RedisClient, options: LeaseOptions) {
    this.#client = client
    this.#options = options
  }

  /** The number of the current session, which no other one has; 0 when there is none. */
  get session(): number {
    return this.#session
  }

  /** Whether there is a session whose lease is not over now. */
  get isHeld(): boolean {
    return performance.now() < this.#until
  }

  /** Whether the lease of this session is not over now, nor `until`, a moment of `performance.now()`. */
  holds(session: number, until: number): boolean {
    if (session !== this.#session) return false
    this.#isUsed = true
    const now = performance.now()
    return now < this.#until && now < until
  }

  /** Keeps sending heartbeats for a while. */
  use(): void {
    this.#isUsed = true
    if (this.#timer || this.#client.status === 'end') return
    this.#usedAt = performance.now()
    const everyMs = Math.min(this.#options.leaseMs / BEATS, MAX_BEAT_MS)
    this.#timer = setInterval(() => this.#tick(), everyMs).unref()
    this.#tick()
  }

  #tick(): void {
    const now = performance.now()
    if (this.#isUsed) this.#usedAt = now
    this.#isUsed = false
    if (this.#client.status === 'end' || now - this.#usedAt > IDLE_MS) return this.#stop()
    if (this.#client.status !== 'ready') return
    this.#followMasters()
    for (const line of this.#lines.values()) void line.beat()
    this.#options.beating()
  }

  /** Has one line to each master that the client knows. */
  #followMasters(): void {
    const masters = this.#client.nodes?.('master') ?? [this.#client]
    for (const [master, line] of this.#lines) {
      if (masters.includes(master)) continue
      this.#end()
      line.close()
      this.#lines.delete(master)
    }
    for (const master of masters) {
      if (this.#lines.has(master)) continue
      this.#end()
      this.#lines.set(master, this.#open(master))
    }
  }

  #open(node: RedisClient): Line {
    this.#linesOpened += 1
    return new Line({
      ...this.#options,
      node,
      isInCluster: this.#client.isCluster,
      ownChannel: this.#options.ownChannel(this.#linesOpened),
      proven: () => this.#prove(),
      lost: () => this.#lose(),
      moved: () => this.#move(),
    })
  }

  #prove(): void {
    const provenAt = Math.min(...Array.from(this.#lines.values(), (line) => line.provenAt))
    const until = provenAt + this.#options.leaseMs
    const now = performance.now()
    if (until <= now) return
    if (now >= this.#until) this.#session = sessions += 1
    this.#until = until
  }

  #lose(): void {
    this.#end()
    if (this.#client.status === 'end') this.#stop()
  }

  #move(): void {
    this.#end()
    this.#client.refreshSlotsCache?.()
  }

  #end(): void {
    this.#session = 0
    this.#until = -Infinity
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#end()
    for (const line of this.#lines.values()) line.close()
    this.#lines.clear()
  }
}
