import { randomBytes } from 'node:crypto'
import type { RedisClient } from './client.ts'

/** What a process hears that serves values from its memory. */
export interface Announcement {
  /** Of keys in Redis: of values and of what they depend on. */
  readonly names: readonly string[]
  /** Of the value that was stored under the one name; absent where keys were deleted, or tags softly invalidated. */
  readonly stamp?: string | undefined
}

/** What every channel of a cache begins with. */
const CHANNEL = 'bus'

/** Told on every line of a bus, so a sender can pass over what it knows itself. */
interface Message extends Announcement {
  readonly from: string
}

/**
 * How caches with one `metaPrefix` tell each other what was taken out of Redis or replaced. Every {@link RedisCache} tells,
 * within the very script that does it; only those listen that serve values from memory.
 */
export class Announcements {
  readonly channel: string
  readonly #from = randomBytes(9).toString('base64url')

  constructor(client: RedisClient, metaPrefix: string) {
    // Clients prefix keys, and not channels.
    this.channel = `${String(client.options.keyPrefix ?? '')}${metaPrefix}${CHANNEL}`
  }

  /** A channel that nobody else uses. */
  ownChannel(id: number): string {
    return `${this.channel}:${this.#from}:${id}`
  }

  /** That these keys were deleted, or softly invalidated. */
  removed(names: readonly string[]): string {
    return this.#text({ names })
  }

  /** That a value was stored under the key. */
  stored(name: string, stamp: string): string {
    return this.#text({ names: [name], stamp })
  }

  /** `undefined` for a removal of this very cache, which knows of it already. @throws when it is no message */
  parse(text: string): Announcement | undefined {
    const { from, names, stamp } = JSON.parse(text) as Message
    if (!Array.isArray(names)) throw new TypeError('Expected names in an announcement')
    return from === this.#from && stamp === undefined ? undefined : { names, stamp }
  }

  #text(announcement: Announcement): string {
    return JSON.stringify({ from: this.#from, ...announcement })
  }
}
