import type { Capture, Shared, StoreOptions } from '../backend.ts'
import type { Announcements } from './announcements.ts'
import type { RedisClient } from './client.ts'
import { headerOf, newStamp, preambleIn, stampIn } from './entry.ts'
import type { Gate } from './gate.ts'
import type { KeyReader } from './key-reader.ts'
import type { KeySpace } from './key-space.ts'
import type { Lock } from './lock.ts'
import type { Held, LocalValues, Moment } from './local-values.ts'
import type { Missed } from './lookups.ts'
import type { Removals } from './removals.ts'
import { storeAndEndLock, storeValue, type StoredValue, type ValueKeys } from './scripts.ts'
import { Tokens, type Dependency } from './tokens.ts'
import { joined, type Encoded } from './value-format.ts'

/** The tokens under which a computed value may be stored. */
export interface RedisCapture extends Capture {
  readonly flight: string
  readonly valueKeys: ValueKeys
  readonly token: string
  /** The namespace key and the keys of the tags, with their tokens. */
  readonly dependencies: readonly Dependency[]
  /** Where more tags follow from the value: the key that every invalidation of tags deletes. */
  readonly anyTag: Dependency | undefined
  readonly tags: readonly string[]
  /** Of the value that the key was seen to hold, empty for none; `undefined` when the key got a new token instead. */
  readonly seenStamp: string | undefined
  /** Before the tokens were read. */
  readonly since: Moment | undefined
  /** Held while this process computes the value for all. */
  readonly lock?: Lock | undefined
}

/** What is asked of a capture. */
export interface Demand {
  /** How long the value may live, or an error in its place. */
  readonly ttlMs: number
  /** Whether more tags follow from the value. */
  readonly openTags: boolean
}

/** That a value was stored. `shared` is how it is handed out where it is also kept in this process. */
export interface Put {
  readonly shared: Shared | undefined
}

interface EntriesOptions {
  readonly keys: KeySpace
  readonly gate: Gate
  readonly removals: Removals
  readonly reader: KeyReader
  readonly announcements: Announcements
}

const NOTHING = Buffer.alloc(0)

/** Writes entries. Every method rejects when Redis fails; tags come sorted and each once. */
export class Entries {
  readonly #client: RedisClient
  readonly #keys: KeySpace
  readonly #gate: Gate
  readonly #removals: Removals
  readonly #reader: KeyReader
  readonly #announcements: Announcements
  readonly #tokens: Tokens
  #local: LocalValues | undefined

  constructor(client: RedisClient, { keys, gate, removals, reader, announcements }: EntriesOptions) {
    this.#client = client
    this.#keys = keys
    this.#gate = gate
    this.#removals = removals
    this.#reader = reader
    this.#announcements = announcements
    this.#tokens = new Tokens(client)
  }

  /** From now on keeps what is stored in this process as well. */
  keepIn(local: LocalValues): void {
    this.#local = local
  }

  /**
   * The tokens for a computation. Without `missed` the key gets a new token, so that older computations cannot store. A
   * stale value stays where it is until the end of its grace.
   */
  capture(
    key: string,
    tags: readonly string[],
    { ttlMs, openTags }: Demand,
    missed?: Missed,
  ): Promise<RedisCapture> {
    const seen = missed?.seen
    const valueKeys = this.#valueKeys(key, missed)
    const since = missed ? missed.since : this.#local?.moment(valueKeys[0])
    const names = [this.#keys.namespace, ...this.#keys.tags(tags)]
    const anyName = openTags ? this.#keys.anyTag : undefined
    this.#removals.check([valueKeys[0], ...names, ...(anyName === undefined ? [] : [anyName])])
    return this.#gate.run('capture', async () => {
      const [token, anyToken, ...tokens] = await Promise.all([
        this.#valueToken(valueKeys, ttlMs, missed),
        anyName === undefined ? '' : this.#tokens.ofTag(anyName, undefined, ttlMs),
        ...names.map((name, index) => this.#tokens.ofTag(name, seen?.[index + 1], ttlMs)),
      ])
      const dependencies = names.map((name, index) => ({ name, token: tokens[index] ?? '' }))
      const anyTag = anyName === undefined ? undefined : { name: anyName, token: anyToken }
      const flight = `${valueKeys[0]}\n${token}\n${anyToken}\n${headerOf(tags, tokens)}`
      const seenStamp = seen && (seen[0] ? stampIn(seen[0]) : '')
      return { flight, valueKeys, token, dependencies, anyTag, tags, seenStamp, since }
    })
  }

  /** Stores a value unless its key was deleted or renewed since the capture, or its lock lost; `undefined` then. */
  async put(
    capture: RedisCapture,
    { body, copy }: Encoded,
    ttlMs: number,
    options?: StoreOptions,
  ): Promise<Put | undefined> {
    const { valueKeys, token, lock } = capture
    const { timing, resultTags } = options ?? {}
    const lifeMs = ttlMs + (timing?.graceMs ?? 0)
    const tagged = resultTags ? await this.#tagged(capture, resultTags, lifeMs) : capture
    if (!tagged) return undefined
    const { tags, dependencies } = tagged
    const short = this.#tokens.shorterThan(lifeMs, dependencies)
    if (short.length > 0) await this.#gate.run('capture', () => this.#tokens.prolong(lifeMs, short))
    this.#removals.check([valueKeys[0], ...dependencies.map(({ name }) => name)])
    if (this.#tokens.areOutdated(dependencies)) return undefined
    const stamp = newStamp(lifeMs, timing && { freshMs: ttlMs, computeMs: timing.computeMs })
    const header = headerOf(
      tags,
      dependencies.map((dependency) => dependency.token),
    )
    const [name] = valueKeys
    const value: StoredValue = {
      token,
      text: joined(stamp + header, body),
      ttlMs: lifeMs,
      told: { channel: this.#announcements.channel, message: this.#announcements.stored(name, stamp) },
      // Of a value that Redis lost others may have a copy, which this one is to take the place of.
      tellAlways: capture.seenStamp === undefined,
    }
    const since = capture.since && { ...capture.since, sentAt: performance.now(), goneAt: Infinity }
    const untold = await this.#gate
      .run('store', () =>
        lock
          ? storeAndEndLock(this.#client, valueKeys, { ...value, lock: lock.key })
          : storeValue(this.#client, valueKeys, value),
      )
      .catch((error: unknown) => {
        // It may still be executed.
        this.#local?.forget([name])
        throw error
      })
    lock?.ended()
    if (untold === undefined) return undefined
    if (untold !== '') this.#announcements.failed(untold)
    const held = (): Held => ({ stamp, dependencies, value: copy() })
    const shared = this.#local && keptIn(this.#local, name, { held, since })
    this.#local?.stored(name, stamp)
    return { shared }
  }

  /**
   * The tags and tokens of a value that has more tags than its capture; `undefined` when tags were invalidated since. The
   * tokens are read first and the one of {@link KeySpace.anyTag} after them: an invalidation that made one of them new
   * has deleted that key before.
   */
  async #tagged(
    { anyTag, tags, dependencies: [namespace, ...known] }: RedisCapture,
    resultTags: readonly string[],
    lifeMs: number,
  ): Promise<Pick<RedisCapture, 'tags' | 'dependencies'> | undefined> {
    if (!anyTag || !namespace) return undefined
    const more = resultTags.filter((tag) => !tags.includes(tag))
    const found = await this.#gate.run('capture', () =>
      Promise.all(
        more.map(async (tag) => {
          const name = this.#keys.tag(tag)
          return { name, token: await this.#tokens.ofTag(name, undefined, lifeMs) }
        }),
      ),
    )
    const [anyToken] = await this.#reader.get([anyTag.name])
    if (anyToken?.toString('latin1') !== anyTag.token) return undefined
    const byTag = [...tags, ...more].map((tag, index) => ({ tag, on: [...known, ...found][index] }))
    byTag.sort((one, other) => (one.tag < other.tag ? -1 : 1))
    return {
      tags: byTag.map(({ tag }) => tag),
      dependencies: [namespace, ...byTag.flatMap(({ on }) => on ?? [])],
    }
  }

  /** With one key where that is enough: while a slot of a Cluster moves, a command with two may have to wait. */
  #valueKeys(key: string, missed: Missed | undefined): ValueKeys {
    const name = this.#keys.value(key)
    return missed?.seen[0] && !missed.stale ? [name] : [name, this.#keys.renewed(name)]
  }

  #valueToken(valueKeys: ValueKeys, ttlMs: number, missed: Missed | undefined): Promise<string> {
    if (!missed) return this.#tokens.renewValue(valueKeys, ttlMs)
    const [blob] = missed.seen
    const preamble = blob ? preambleIn(blob) : NOTHING
    return this.#tokens.ofValue(valueKeys, ttlMs, { preamble, isStale: missed.stale !== undefined })
  }
}

/** Keeps what was just stored. A serializer that cannot decode it fails the readers, and not the one who stored. */
function keptIn(
  local: LocalValues,
  name: string,
  { held, since }: { held: () => Held; since: Moment | undefined },
): Shared | undefined {
  try {
    return local.keep(name, held(), since)
  } catch {
    return undefined
  }
}
