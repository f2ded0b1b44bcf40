import { randomBytes } from 'node:crypto'
import { BackendError } from '../errors.ts'
import type { OnError } from '../reporter.ts'
import type { RedisClient } from './client.ts'

/** What a process hears that serves values from its memory. */
export interface Announcement {
  /** Of keys in Redis, as the client takes them: of values and of what they depend on. */
  readonly names: readonly string[]
  /** Of the value that was stored under the one name; absent where keys were deleted, or tags softly invalidated. */
  readonly stamp?: string | undefined
}

/** What every channel of a cache begins with. */
const CHANNEL = 'bus'

/**
 * How caches with one `metaPrefix` tell each other what was taken out of Redis or replaced. Every {@link RedisCache} tells,
 * within the very script that does it; only those listen that serve values from memory.
 */
export class Announcements {
  readonly channel: string
  /** Clients prefix keys, and neither channels nor what is said there. */
  readonly #keyPrefix: string
  readonly #own = randomBytes(9).toString('base64url')
  readonly #report: OnError

  constructor(client: RedisClient, { metaPrefix, report }: { metaPrefix: string; report: OnError }) {
    this.#keyPrefix = String(client.options.keyPrefix ?? '')
    this.#report = report
    this.channel = `${this.#keyPrefix}${metaPrefix}${CHANNEL}`
  }

  /** A channel that nobody else uses. */
  ownChannel(id: number): string {
    return `${this.channel}:${this.#own}:${id}`
  }

  /** That these keys were deleted, or softly invalidated. */
  removed(names: readonly string[]): string {
    return this.#text({ names })
  }

  /** That a value was stored under the key. */
  stored(name: string, stamp: string): string {
    return this.#text({ names: [name], stamp })
  }

  /** Without names that a client with this prefix does not use. @throws when it is no message */
  parse(text: string): Announcement {
    const { names, stamp } = JSON.parse(text) as Announcement
    if (!Array.isArray(names)) throw new TypeError('Expected names in an announcement')
    const own = names.filter((name: string) => name.startsWith(this.#keyPrefix))
    return { names: own.map((name: string) => name.slice(this.#keyPrefix.length)), stamp }
  }

  /** Reports why something could not be told. What it tells of is done all the same. */
  failed(reason: string): void {
    this.#report(new BackendError('publish', { cause: reason }))
  }

  #text({ names, stamp }: Announcement): string {
    return JSON.stringify({ names: names.map((name) => this.#keyPrefix + name), stamp })
  }
}
