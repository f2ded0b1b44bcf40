import type { Stale, Timing } from '../backend.ts'
import {
  areSoftlyCurrent,
  bodyIn,
  bodyUnder,
  isFresh,
  stampIn,
  storedWith,
  timingIn,
  timingOf,
} from './entry.ts'
import type { KeyReader } from './key-reader.ts'
import type { KeySpace } from './key-space.ts'
import type { Held, LocalValues, Moment } from './local-values.ts'
import type { ValueFormat } from './value-format.ts'

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
  /** Where the encoded value begins. */
  readonly body: number
  /** Whether a tag was softly invalidated since. */
  readonly soft: boolean
}

interface LookupsOptions {
  readonly keys: KeySpace
  readonly reader: KeyReader
  readonly format: ValueFormat
}

/** Looks up entries. Tags come sorted and each once. */
export class Lookups {
  readonly #keys: KeySpace
  readonly #reader: KeyReader
  readonly #format: ValueFormat
  #local: LocalValues | undefined

  constructor({ keys, reader, format }: LookupsOptions) {
    this.#keys = keys
    this.#reader = reader
    this.#format = format
  }

  /** From now on keeps decoded values in this process, and does not read them again while Redis holds the same. */
  keepIn(local: LocalValues): void {
    this.#local = local
  }

  /** One round trip, and a second one where the tags are not the expected ones. Rejects when Redis fails. */
  find(key: string, tags: readonly string[]): Promise<Found> {
    const name = this.#keys.value(key)
    return this.#local ? this.#findKept(this.#local, name, tags) : this.#findStored(name, tags)
  }

  async #findKept(local: LocalValues, name: string, tags: readonly string[]): Promise<Found> {
    const since = local.moment(name)
    const held = local.find(name)
    const isCurrent = held !== undefined && (await this.#isCurrent(name, held))
    local.checked(isCurrent)
    if (isCurrent) {
      const timing = timingIn(held.stamp)
      if (isFresh(timing)) {
        if (since) local.confirmed(name, held, since)
        return { hit: true, value: held.value, timing }
      }
    }
    return this.#findStored(name, tags, since)
  }

  /** Not an async function, as a hit would wait for three of them. */
  #findStored(name: string, tags: readonly string[], since?: Moment): Promise<Found> {
    return this.#reader.get([name, this.#keys.namespace, ...this.#keys.tags(tags)]).then((seen) => {
      const [blob, namespaceToken] = seen
      const missed = { hit: false, seen, since } as const
      if (!blob || !namespaceToken) return missed
      const body = bodyUnderTokens(blob, tags, seen)
      if (body >= 0) return this.#decoded(name, blob, { body, soft: false }, missed)
      return this.#valid(blob, tags, seen).then((valid) =>
        valid ? this.#decoded(name, blob, valid, missed) : missed,
      )
    })
  }

  /**
   * A blob that has other tags than expected, or other tokens. The tags that were stored with it are what counts, also
   * where a deploy changed them or nobody knows them.
   */
  async #valid(blob: Buffer, expected: readonly string[], seen: Seen): Promise<Valid | undefined> {
    const stored = storedWith(blob)
    if (!stored) return undefined
    const asExpected = JSON.stringify(stored.tags) === JSON.stringify(expected)
    const current = asExpected
      ? seen
      : [...seen.slice(0, 2), ...(await this.#reader.get(this.#keys.tags(stored.tags)))]
    const body = asExpected ? -1 : bodyUnderTokens(blob, stored.tags, current)
    if (body >= 0) return { body, soft: false }
    const tokens = current.slice(1).map((reply) => reply?.toString('latin1'))
    return areSoftlyCurrent(stored.tokens, tokens) ? { body: bodyIn(blob), soft: true } : undefined
  }

  #decoded(name: string, blob: Buffer, { body, soft }: Valid, missed: Missed): Found {
    try {
      const value = this.#format.decode(blob, body)
      const timing = timingOf(blob)
      return isFresh(timing) && !soft
        ? { hit: true, value: this.#keep(name, blob, value, missed.since), timing }
        : { ...missed, stale: { value, soft } }
    } catch {
      return missed
    }
  }

  /**
   * Whether Redis would give this very value: the blob has its stamp, and the keys on which it depends have the tokens
   * that it was stored under. What is compared is what {@link find} compares, so neither serves what the other would
   * not. One round trip, in which the value is not transferred.
   */
  async #isCurrent(name: string, { stamp, dependencies }: Held): Promise<boolean> {
    const names = dependencies.map((dependency) => dependency.name)
    const [found, ...tokens] = await this.#reader.get(names, name)
    return (
      found?.toString('latin1') === stamp &&
      dependencies.every(({ token }, index) => tokens[index]?.toString('latin1') === token)
    )
  }

  /** The value as it is handed out, kept in this process where that is wanted. */
  #keep(name: string, blob: Buffer, value: unknown, since: Moment | undefined): unknown {
    const stored = this.#local && storedWith(blob)
    if (!this.#local || !stored) return value
    const names = [this.#keys.namespace, ...this.#keys.tags(stored.tags)]
    const dependencies = names.map((key, index) => ({ name: key, token: stored.tokens[index] ?? '' }))
    const shared = this.#local.keep(name, { stamp: stampIn(blob), dependencies, value }, since)
    return shared ? shared.own : value
  }
}

/** Where the encoded value begins if it was stored under the tokens that were seen; -1 if not. */
function bodyUnderTokens(blob: Buffer, tags: readonly string[], [, ...tokens]: Seen): number {
  return tokens.includes(null) ? -1 : bodyUnder(tags, tokens as Buffer[], blob)
}
