import type { Shared } from '../backend.ts'
import { BackendError } from '../errors.ts'
import { drop, type InMemoryCache } from '../memory/in-memory-cache.ts'
import type { RedisClient } from '../redis/client.ts'
import { timingIn } from '../redis/entry.ts'
import { isReply } from '../redis/gate.ts'
import type { Held, Moment, Trusted } from '../redis/local-values.ts'
import type { Internals } from '../redis/redis-cache.ts'
import { L1Values } from './l1-values.ts'
import { Lease } from './lease.ts'
import { News } from './news.ts'

/** What {@link BusValues} need. */
export interface BusOptions {
  readonly client: RedisClient
  /** Of the backend whose values they are. */
  readonly internals: Internals
  readonly leaseMs: number
}

/** A value with what allows to serve it without asking. Plain data, which an {@link InMemoryCache} can isolate. */
interface Kept extends Held, Pick<Trusted, 'timing'> {
  /** In which the value was asked for. */
  readonly session: number
  /** When it is gone from Redis or stale, as a moment of `performance.now()`. */
  readonly until: number
}

/**
 * Values that are served without asking Redis, for as long as a {@link Lease} says that all news has been heard and there
 * was none about the value or what it depends on. All others are compared with Redis, as those of {@link L1Values} are.
 *
 * A value is trusted from the session in which Redis was asked for it. What was announced after that question is heard
 * later than it was asked: then either the value is not kept, or it is dropped. What was announced before is what the reply
 * shows.
 */
export class BusValues extends L1Values {
  readonly #l1: InMemoryCache
  readonly #client: RedisClient
  readonly #internals: Internals
  readonly #news = new News()
  readonly #lease: Lease
  /** Under which all values are kept; `undefined` while none is. */
  #namespaceToken: string | undefined
  #hasFailed = false

  constructor(l1: InMemoryCache, { client, internals, leaseMs }: BusOptions) {
    super(l1, internals.keys)
    this.#l1 = l1
    this.#client = client
    this.#internals = internals
    const { announcements } = internals
    this.#lease = new Lease(client, {
      leaseMs,
      sharedChannel: announcements.channel,
      ownChannel: (id) => announcements.ownChannel(id),
      heard: (message) => this.#hear(message),
      beating: () => void this.#watch(),
      failed: (error) => this.#fail(error),
    })
  }

  /** Whether values are served without asking at this moment. */
  get isTrusted(): boolean {
    return this.#lease.isHeld
  }

  override trusted(key: string): Trusted | undefined {
    const found = this.#l1.peek(key)
    if (!found.hit || !isKept(found.value)) return undefined
    const { session, until, value, timing } = found.value
    if (!this.#lease.holds(session, until)) return undefined
    this.checked(true)
    return { hit: true, value, timing }
  }

  /** Asks for the remaining ttl first, as the value that is read after it may only have a later end. */
  override moment(name: string): Moment {
    this.#lease.use()
    const moment = { order: this.#news.order, session: this.#lease.session, expiresAt: -Infinity }
    if (this.#client.status !== 'ready' || this.#internals.gate.state !== 'closed') return moment
    const sentAt = performance.now()
    // Over the same connection its reply is there before that of the read. Without one the value is not trusted.
    this.#client.pttl(name).then(
      // A client with `stringNumbers` replies with text.
      (ttlMs: unknown) => (moment.expiresAt = expiryOf(sentAt, Number(ttlMs))),
      () => undefined,
    )
    return moment
  }

  override keep(name: string, held: Held, since: Moment): Shared | undefined {
    const dependencies = held.dependencies.map((dependency) => dependency.name)
    const isOld = this.#news.isAboutKey(name, { since: since.order, except: held.stamp })
    if (isOld || this.#news.isAboutAny(dependencies, since.order)) return undefined
    this.#keepUnder(held.dependencies[0]?.token)
    const { session, expiresAt } = since
    const timing = timingIn(held.stamp)
    const until = Math.min(expiresAt, timing?.freshUntil ?? Infinity)
    const kept: Kept = { ...held, session, until, timing }
    const leftMs = expiresAt === -Infinity ? Infinity : Math.ceil(expiresAt - performance.now())
    return this.hold(name, kept, { tags: dependencies, ttlMs: Math.max(leftMs, 1) })
  }

  override forget(names: readonly string[]): void {
    this.#news.add(names)
    drop(this.#l1, { keys: names.flatMap((name) => this.#internals.keys.keyOf(name) ?? []), tags: names })
  }

  override stored(name: string, stamp: string): void {
    this.#news.add([name], stamp)
    const key = this.#internals.keys.keyOf(name)
    if (key !== undefined && this.find(name)?.stamp !== stamp) drop(this.#l1, { keys: [key], tags: [] })
  }

  #hear(text: string): void {
    try {
      const announcement = this.#internals.announcements.parse(text)
      if (!announcement) return
      const { names, stamp } = announcement
      const [name = ''] = names
      if (stamp === undefined) this.forget(names)
      else this.stored(name, stamp)
    } catch {
      // Whoever sent this is of another version, and may have invalidated anything.
      this.forget([this.#internals.keys.namespace])
    }
  }

  /** FLUSHALL and eviction announce nothing. With the key on which everything depends, all is gone. */
  async #watch(): Promise<void> {
    const { namespace } = this.#internals.keys
    const token = await this.#client.getBuffer(namespace).then(
      (reply) => reply?.toString('latin1') ?? null,
      () => undefined,
    )
    if (token === undefined || this.#namespaceToken === undefined || token === this.#namespaceToken) return
    this.forget([namespace])
    this.#namespaceToken = undefined
  }

  #keepUnder(token: string | undefined): void {
    if (token === this.#namespaceToken) return
    drop(this.#l1, { keys: [], tags: [this.#internals.keys.namespace] })
    this.#namespaceToken = token
  }

  /** Reports the first of refused heartbeats: without them each lookup asks Redis. */
  #fail(error: unknown): void {
    if (!isReply(error) || this.#hasFailed) return
    this.#hasFailed = true
    this.#internals.report(new BackendError('publish', { cause: error }))
  }
}

/** -1 stands for no end, -2 for no key. */
function expiryOf(sentAt: number, ttlMs: number): number {
  if (ttlMs === -1) return Infinity
  return ttlMs < 0 ? -Infinity : sentAt + ttlMs
}

function isKept(value: unknown): value is Kept {
  return typeof value === 'object' && value !== null && 'session' in value
}
