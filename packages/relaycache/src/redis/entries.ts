import type { Capture, Shared, Stale, StoreOptions, Timing } from '../backend.ts'
import type { Announcements } from './announcements.ts'
import type { RedisClient } from './client.ts'
import {
  areSoftlyCurrent,
  bodyIn,
  bodyUnder,
  headerOf,
  isFresh,
  newStamp,
  preambleIn,
  STAMP_RANGE,
  stampIn,
  storedWith,
  timingIn,
} from './entry.ts'
import { isReply, type Gate } from './gate.ts'
import type { KeySpace } from './key-space.ts'
import type { Lock } from './lock.ts'
import type { Held, LocalValues, Moment, Trusted } from './local-values.ts'
import { MultiGet, type Reply } from './multi-get.ts'
import type { Removals } from './removals.ts'
import { storeAndEndLock, storeValue, type StoredValue, type ValueKeys } from './scripts.ts'
import { Tokens, type Dependency } from './tokens.ts'
import { joined, type Encoded, type ValueFormat } from './value-format.ts'

/** What Redis held when an entry was looked up: at its value key, at the namespace key, and at the keys of its tags. */
export type Seen = readonly (Buffer | null)[]

/** A valid value, or what a computation must know of the state it found. */
export type Found =
  | { readonly hit: true; readonly value: unknown; readonly timing: Timing | undefined }
  | Missed

/** What was found in place of a fresh value. */
export interface Missed {
  readonly hit: false
  readonly seen: Seen
  readonly stale?: Stale | undefined
  /** Before that was read. */
  readonly since: Moment | undefined
}

interface Valid {
  readonly body: Buffer
  /** Whether a tag was softly invalidated since. */
  readonly soft: boolean
}

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
  /** How long the value may live. */
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
  readonly format: ValueFormat
  readonly announcements: Announcements
}

const NOTHING = Buffer.alloc(0)

/** Reads and writes entries. Every method rejects when Redis fails; tags come sorted and each once. */
export class Entries {
  readonly #client: RedisClient
  readonly #keys: KeySpace
  readonly #gate: Gate
  readonly #removals: Removals
  readonly #format: ValueFormat
  readonly #announcements: Announcements
  readonly #tokens: Tokens
  readonly #gets: MultiGet
  #local: LocalValues | undefined

  constructor(client: RedisClient, { keys, gate, removals, format, announcements }: EntriesOptions) {
    this.#client = client
    this.#keys = keys
    this.#gate = gate
    this.#removals = removals
    this.#format = format
    this.#announcements = announcements
    this.#tokens = new Tokens(client)
    this.#gets = new MultiGet((names, stamped) => this.#fetch(names, stamped))
  }

  /** From now on keeps decoded values in this process, and does not read them again while Redis holds the same. */
  keepIn(local: LocalValues): void {
    this.#local = local
  }

  /** An entry that this process may serve without asking. */
  trusted(key: string): Trusted | undefined {
    return this.#local?.trusted(key)
  }

  /** Told of keys that this process deletes or softly invalidates: before Redis does, and once more after. */
  forget(names: readonly string[]): void {
    this.#local?.forget(names)
  }

  /** Looks up an entry: one round trip, and a second one where its tags are not the expected ones. */
  async find(key: string, tags: readonly string[]): Promise<Found> {
    const name = this.#keys.value(key)
    const since = this.#local?.moment(name)
    const held = this.#local?.find(name)
    const isCurrent = held !== undefined && (await this.#isCurrent(name, held))
    this.#local?.checked(isCurrent)
    if (isCurrent) {
      const timing = timingIn(held.stamp)
      if (isFresh(timing)) {
        if (since) this.#local?.keep(name, held, since)
        return { hit: true, value: held.value, timing }
      }
    }
    const seen = await this.#get([name, this.#keys.namespace, ...this.#tagKeys(tags)])
    const [blob, ...tokens] = seen
    const valid = blob && tokens[0] ? await this.#valid(blob, tags, tokens) : undefined
    const missed = { hit: false, seen, since } as const
    return (blob && valid && this.#decoded(name, blob, valid, missed)) ?? missed
  }

  #decoded(name: string, blob: Buffer, { body, soft }: Valid, missed: Missed): Found | undefined {
    try {
      const value = this.#format.decode(body)
      const timing = timingIn(stampIn(blob))
      return isFresh(timing) && !soft
        ? { hit: true, value: this.#keep(name, blob, value, missed.since), timing }
        : { ...missed, stale: { value, soft } }
    } catch {
      return undefined
    }
  }

  /**
   * The tokens for a computation. Without `missed` the key gets a new token, so that older computations cannot store. A
   * stale value stays where it is; the token goes with it at the end of its grace.
   */
  capture(
    key: string,
    tags: readonly string[],
    { ttlMs, openTags }: Demand,
    missed?: Missed,
  ): Promise<RedisCapture> {
    const seen = missed?.seen
    const valueKeys = this.#valueKeys(key, seen)
    const since = missed ? missed.since : this.#local?.moment(valueKeys[0])
    const names = [this.#keys.namespace, ...this.#tagKeys(tags)]
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
    this.#removals.check([valueKeys[0], ...dependencies.map(({ name }) => name)])
    if (this.#tokens.areOutdated(dependencies)) return undefined
    const stamp = newStamp(timing && { freshMs: ttlMs, computeMs: timing.computeMs })
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
    const since = capture.since && { ...capture.since, expiresAt: performance.now() + lifeMs }
    const stored = await this.#gate
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
    if (!stored) return undefined
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
    const [anyToken] = await this.#get([anyTag.name])
    if (anyToken?.toString('latin1') !== anyTag.token) return undefined
    const byTag = [...tags, ...more].map((tag, index) => ({ tag, on: [...known, ...found][index] }))
    byTag.sort((one, other) => (one.tag < other.tag ? -1 : 1))
    return {
      tags: byTag.map(({ tag }) => tag),
      dependencies: [namespace, ...byTag.flatMap(({ on }) => on ?? [])],
    }
  }

  /** With one key where that is enough: while a slot of a Cluster moves, a command with two may have to wait. */
  #valueKeys(key: string, seen: Seen | undefined): ValueKeys {
    const name = this.#keys.value(key)
    return seen?.[0] ? [name] : [name, this.#keys.renewed(name)]
  }

  #valueToken(valueKeys: ValueKeys, ttlMs: number, missed: Missed | undefined): Promise<string> {
    if (!missed) return this.#tokens.renewValue(valueKeys, ttlMs)
    const [blob] = missed.seen
    return this.#tokens.ofValue(valueKeys, ttlMs, blob && !missed.stale ? preambleIn(blob) : NOTHING)
  }

  /**
   * Whether a blob is valid under the current tokens. The tags that were stored with it are what counts, also where a
   * deploy changed them or nobody knows them.
   */
  async #valid(blob: Buffer, expected: readonly string[], current: Seen): Promise<Valid | undefined> {
    const body = bodyUnderTokens(blob, expected, current)
    if (body) return { body, soft: false }
    const stored = storedWith(blob)
    if (!stored) return undefined
    const asExpected = JSON.stringify(stored.tags) === JSON.stringify(expected)
    const [namespaceToken = null] = current
    const found = asExpected ? current : [namespaceToken, ...(await this.#get(this.#tagKeys(stored.tags)))]
    const exact = asExpected ? undefined : bodyUnderTokens(blob, stored.tags, found)
    if (exact) return { body: exact, soft: false }
    const tokens = found.map((reply) => reply?.toString('latin1'))
    return areSoftlyCurrent(stored.tokens, tokens) ? { body: bodyIn(blob), soft: true } : undefined
  }

  /**
   * Whether Redis would give this very value: the blob has its stamp, and the keys on which it depends have the tokens
   * that it was stored under. What is compared is what {@link find} compares, so neither serves what the other would
   * not. One round trip, in which the value is not transferred.
   */
  async #isCurrent(name: string, { stamp, dependencies }: Held): Promise<boolean> {
    const names = dependencies.map((dependency) => dependency.name)
    this.#removals.check([name, ...names])
    const [found, ...tokens] = await this.#gets.get(names, name)
    return (
      found?.toString('latin1') === stamp &&
      dependencies.every(({ token }, index) => tokens[index]?.toString('latin1') === token)
    )
  }

  /** The value as it is handed out, kept in this process where that is wanted. */
  #keep(name: string, blob: Buffer, value: unknown, since: Moment | undefined): unknown {
    const stored = this.#local && storedWith(blob)
    if (!this.#local || !stored) return value
    const names = [this.#keys.namespace, ...this.#tagKeys(stored.tags)]
    const dependencies = names.map((key, index) => ({ name: key, token: stored.tokens[index] ?? '' }))
    const shared = this.#local.keep(name, { stamp: stampIn(blob), dependencies, value }, since)
    return shared ? shared.own : value
  }

  #get(names: readonly string[]): Promise<(Buffer | null)[]> {
    this.#removals.check(names)
    return this.#gets.get(names)
  }

  #tagKeys(tags: readonly string[]): string[] {
    return tags.map((tag) => this.#keys.tag(tag))
  }

  /**
   * One MGET, and a GETRANGE for each stamp, sent together; in a Cluster, where keys live apart, one GET for each key,
   * all under way together.
   */
  async #fetch(names: string[], stamped: string[]): Promise<readonly Reply[]> {
    if (!this.#client.isCluster) {
      return this.#gate.run('read', async () => {
        const [replies, stamps] = await Promise.all([
          this.#client.mgetBuffer(names),
          Promise.all(stamped.map((name) => this.#stampOf(name))),
        ])
        return [...replies, ...stamps]
      })
    }
    const attempt = (send: () => Promise<Buffer | null>): Promise<Reply> =>
      this.#gate.run('read', send).catch((error: Error) => error)
    return Promise.all([
      ...names.map((name) => attempt(() => this.#client.getBuffer(name))),
      ...stamped.map((name) => attempt(() => this.#stampOf(name))),
    ])
  }

  /** Nothing where the key holds something else than a string. */
  async #stampOf(name: string): Promise<Buffer | null> {
    try {
      return await this.#client.getrangeBuffer(name, ...STAMP_RANGE)
    } catch (error) {
      if (isReply(error)) return null
      throw error
    }
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

/** The encoded value if it was stored under these tokens: that of the namespace, then those of the tags. */
function bodyUnderTokens(
  blob: Buffer,
  tags: readonly string[],
  replies: readonly (Buffer | null | undefined)[],
): Buffer | undefined {
  const tokens: string[] = []
  for (const reply of replies) {
    if (!reply) return undefined
    tokens.push(reply.toString('latin1'))
  }
  return bodyUnder(headerOf(tags, tokens), blob)
}
