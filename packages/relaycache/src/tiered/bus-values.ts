import type { Shared, Timing } from '../backend.ts'
import { BackendError } from '../errors.ts'
import { drop, heldIn, type InMemoryCache } from '../memory/in-memory-cache.ts'
import { read } from '../memory/isolation.ts'
import type { RedisClient } from '../redis/client.ts'
import { lifeIn, timingIn } from '../redis/entry.ts'
import { isReply } from '../redis/gate.ts'
import type { Held, Moment, Trusted } from '../redis/local-values.ts'
import type { Internals } from '../redis/redis-cache.ts'
import { isHeld, L1Values } from './l1-values.ts'
import { Lease } from './lease.ts'
import { News } from './news.ts'

/** What {@link BusValues} need. */
export interface BusOptions {
  readonly client: RedisClient
  /** Of the backend whose values they are. */
  readonly internals: Internals
  readonly leaseMs: number
}

/** What allows to serve a value without asking. */
interface Trust {
  readonly timing: Timing | undefined
  /** In which Redis was asked for the value. */
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
  readonly #refused = new Set<string>()

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
      failed: (operation, error) => this.#fail(operation, error),
    })
  }

  /** Whether values are served without asking at this moment. */
  get isTrusted(): boolean {
    return this.#lease.isHeld
  }

  override trusted(key: string): Trusted | undefined {
    const noted = heldIn(this.#l1, key)
    const trust = noted?.note as Trust | undefined
    if (!noted || !trust || !this.#lease.holds(trust.session, trust.until)) return undefined
    this.checked(true)
    return { hit: true, value: (read(noted) as Held).value, timing: trust.timing }
  }

  /** Asks for the remaining ttl first. Whether that is the one of the value that is read after it, {@link endOf} allows for. */
  override moment(name: string): Moment {
    this.#lease.use()
    const { session } = this.#lease
    const moment = { order: this.#news.order, session, sentAt: performance.now(), goneAt: -Infinity }
    const { gate } = this.#internals
    if (session === 0 || this.#client.status !== 'ready' || gate.state !== 'closed') return moment
    // Over the same connection its reply is there before that of the read. Without one the value is not trusted.
    this.#client.pttl(name).then(
      // A client with `stringNumbers` replies with text. -1 stands for no end, -2 for no key.
      (reply: unknown) => (moment.goneAt = Number(reply) < 0 ? Infinity : moment.sentAt + Number(reply)),
      () => undefined,
    )
    return moment
  }

  override keep(name: string, held: Held, since: Moment): Shared | undefined {
    if (this.#isOld(name, held, since)) return undefined
    const [namespace] = held.dependencies
    this.#keepUnder(namespace?.token)
    const shared = this.hold(name, held, namesIn(held))
    this.#trust(name, held, since)
    return shared
  }

  override confirmed(name: string, held: Held, since: Moment): void {
    if (since.session > 0 && !this.#isOld(name, held, since)) this.#trust(name, held, since)
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

  /** Own removals as well: one that was rejected may be executed later. */
  #hear(text: string): void {
    try {
      const { names, stamp } = this.#internals.announcements.parse(text)
      if (stamp === undefined) this.forget(names)
      else for (const name of names) this.stored(name, stamp)
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

  /** Whether the value may be older than what was announced. */
  #isOld(name: string, held: Held, { order }: Moment): boolean {
    const since = { since: order, except: held.stamp }
    return this.#news.isAboutKey(name, since) || this.#news.isAboutAny(namesIn(held), order)
  }

  #trust(name: string, { stamp }: Held, since: Moment): void {
    const noted = heldIn(this.#l1, this.#internals.keys.keyOf(name) ?? '')
    if (!noted || !isHeld(noted.value) || noted.value.stamp !== stamp) return
    const timing = timingIn(stamp)
    const until = Math.min(endOf(stamp, since), timing?.freshUntil ?? Infinity)
    noted.note = { timing, session: since.session, until } satisfies Trust
  }

  /** Reports the first refusal: without heartbeats that come back each lookup asks Redis. */
  #fail(operation: string, error: unknown): void {
    if (!isReply(error) || this.#refused.has(operation)) return
    this.#refused.add(operation)
    this.#internals.report(new BackendError(operation, { cause: error }))
  }
}

function namesIn({ dependencies }: Held): string[] {
  return dependencies.map(({ name }) => name)
}

/**
 * When the value is gone from Redis, or before: as of the ttl that Redis was asked for, if the value was there then; or as
 * of its own, if it was not, because then it was stored after `sentAt`.
 */
function endOf(stamp: string, { sentAt, goneAt }: Moment): number {
  return Math.min(goneAt, sentAt + lifeIn(stamp))
}
