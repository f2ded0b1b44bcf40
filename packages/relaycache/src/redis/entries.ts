import type { Capture } from '../backend.ts'
import type { RedisClient } from './client.ts'
import { decode } from './codec.ts'
import { bodyUnder, headerIn, headerOf, tagsIn } from './entry.ts'
import type { Gate } from './gate.ts'
import type { KeySpace } from './key-space.ts'
import { MultiGet, type Reply } from './multi-get.ts'
import type { Removals } from './removals.ts'
import { storeValue, type ValueKeys } from './scripts.ts'
import { Tokens, type Dependency } from './tokens.ts'

/** What Redis held when an entry was looked up: at its value key, at the namespace key, and at the keys of its tags. */
export type Seen = readonly (Buffer | null)[]

/** A valid value, or what a computation must know of the state it found. */
export type Found =
  | { readonly hit: true; readonly value: unknown }
  | { readonly hit: false; readonly seen: Seen }

/** The tokens under which a computed value may be stored. */
export interface RedisCapture extends Capture {
  readonly flight: string
  readonly valueKeys: ValueKeys
  readonly token: string
  /** The namespace key and the keys of the tags, with their tokens. */
  readonly dependencies: readonly Dependency[]
  readonly header: string
}

const NOTHING = Buffer.alloc(0)

/** Reads and writes entries. Every method rejects when Redis fails; tags come sorted and each once. */
export class Entries {
  readonly #client: RedisClient
  readonly #keys: KeySpace
  readonly #gate: Gate
  readonly #removals: Removals
  readonly #tokens: Tokens
  readonly #gets: MultiGet

  constructor(
    client: RedisClient,
    { keys, gate, removals }: { keys: KeySpace; gate: Gate; removals: Removals },
  ) {
    this.#client = client
    this.#keys = keys
    this.#gate = gate
    this.#removals = removals
    this.#tokens = new Tokens(client)
    this.#gets = new MultiGet((names) => this.#fetch(names))
  }

  /** Looks up an entry: one round trip, and a second one where its tags are not the expected ones. */
  async find(key: string, tags: readonly string[]): Promise<Found> {
    const seen = await this.#get([this.#keys.value(key), this.#keys.namespace, ...this.#tagKeys(tags)])
    const [blob, namespaceToken, ...tagTokens] = seen
    if (!blob || !namespaceToken) return { hit: false, seen }
    const body =
      bodyUnderTokens(blob, tags, [namespaceToken, ...tagTokens]) ??
      (await this.#bodyUnderStoredTags(blob, tags, namespaceToken))
    try {
      return body === undefined ? { hit: false, seen } : { hit: true, value: decode(body) }
    } catch {
      return { hit: false, seen }
    }
  }

  /** The tokens for a computation. Without `seen` the key gets a new token, so that older computations cannot store. */
  capture(key: string, tags: readonly string[], ttlMs: number, seen?: Seen): Promise<RedisCapture> {
    const valueKeys = this.#valueKeys(key, seen)
    const names = [this.#keys.namespace, ...this.#tagKeys(tags)]
    this.#removals.check([valueKeys[0], ...names])
    return this.#gate.run('capture', async () => {
      const [token, ...tokens] = await Promise.all([
        this.#valueToken(valueKeys, ttlMs, seen),
        ...names.map((name, index) => this.#tokens.ofTag(name, seen?.[index + 1], ttlMs)),
      ])
      const header = headerOf(tags, tokens)
      const dependencies = names.map((name, index) => ({ name, token: tokens[index] ?? '' }))
      return { flight: `${valueKeys[0]}\n${token}\n${header}`, valueKeys, token, dependencies, header }
    })
  }

  /** Stores a value unless its key was deleted or renewed since the capture. Resolves to whether it did. */
  async put(capture: RedisCapture, body: string, ttlMs: number): Promise<boolean> {
    const { valueKeys, token, dependencies, header } = capture
    this.#removals.check([valueKeys[0], ...dependencies.map(({ name }) => name)])
    if (this.#tokens.areOutdated(dependencies)) return false
    return this.#gate.run('store', () =>
      storeValue(this.#client, valueKeys, { token, text: header + body, ttlMs }),
    )
  }

  /** With one key where that is enough: while a slot of a Cluster moves, a command with two may have to wait. */
  #valueKeys(key: string, seen: Seen | undefined): ValueKeys {
    const name = this.#keys.value(key)
    return seen?.[0] ? [name] : [name, this.#keys.renewed(name)]
  }

  #valueToken(valueKeys: ValueKeys, ttlMs: number, seen: Seen | undefined): Promise<string> {
    if (!seen) return this.#tokens.renewValue(valueKeys, ttlMs)
    return this.#tokens.ofValue(valueKeys, ttlMs, seen[0] ? headerIn(seen[0]) : NOTHING)
  }

  /** What was stored with the entry is what counts, also where a deploy changed its tags or nobody knows them. */
  async #bodyUnderStoredTags(
    blob: Buffer,
    expected: readonly string[],
    namespaceToken: Buffer,
  ): Promise<string | undefined> {
    const stored = tagsIn(blob)
    if (!stored || JSON.stringify(stored) === JSON.stringify(expected)) return undefined
    return bodyUnderTokens(blob, stored, [namespaceToken, ...(await this.#get(this.#tagKeys(stored)))])
  }

  #get(names: readonly string[]): Promise<(Buffer | null)[]> {
    this.#removals.check(names)
    return this.#gets.get(names)
  }

  #tagKeys(tags: readonly string[]): string[] {
    return tags.map((tag) => this.#keys.tag(tag))
  }

  /** One MGET; in a Cluster, where keys live apart, one GET for each key, all under way together. */
  async #fetch(names: string[]): Promise<readonly Reply[]> {
    if (!this.#client.isCluster) return this.#gate.run('read', () => this.#client.mgetBuffer(names))
    return Promise.all(
      names.map((name) =>
        this.#gate.run('read', () => this.#client.getBuffer(name)).catch((error: Error) => error),
      ),
    )
  }
}

/** The encoded value if it was stored under these tokens: that of the namespace, then those of the tags. */
function bodyUnderTokens(
  blob: Buffer,
  tags: readonly string[],
  replies: readonly (Buffer | null | undefined)[],
): string | undefined {
  const tokens: string[] = []
  for (const reply of replies) {
    if (!reply) return undefined
    tokens.push(reply.toString('latin1'))
  }
  return bodyUnder(headerOf(tags, tokens), blob)
}
