import { setTimeout as pause } from 'node:timers/promises'
import { onceReady, type RedisClient } from './client.ts'
import { isReply } from './gate.ts'
import { endLock, type LockKey } from './scripts.ts'

/** More locks than this are left to expire. */
const MAX_UNDER_WAY = 1000
const MAX_ATTEMPTS = 3
const PAUSE_MS = 100

/**
 * Ends locks in the background, also after the connection was lost, and also locks that were perhaps never taken: the
 * client sends commands in their order, and so this one after the one that takes the lock, even where it sends that
 * again. A lock that is not ended expires.
 */
export class Unlocks {
  readonly #client: RedisClient
  #underWay = 0

  constructor(client: RedisClient) {
    this.#client = client
  }

  /** Ends the lock if it is held with this secret, and tells the waiters that there is no value. */
  end(key: LockKey): void {
    if (this.#underWay < MAX_UNDER_WAY) void this.#end(key)
  }

  async #end(key: LockKey): Promise<void> {
    this.#underWay += 1
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        if (attempt > 0) await pause(PAUSE_MS, undefined, { ref: false })
        if (this.#client.status !== 'ready') await this.#reconnected().promise
        if (await this.#attempt(key)) return
      }
    } catch {
      // Redis refuses, or the client is closed.
    } finally {
      this.#underWay -= 1
    }
  }

  /**
   * Whether Redis has answered. A client that does not send commands again never settles those of a lost connection.
   * @throws when there is no use in trying again
   */
  async #attempt(key: LockKey): Promise<boolean> {
    const { promise, forget } = this.#reconnected()
    try {
      return await Promise.race([endLock(this.#client, key).then(() => true), promise.then(() => false)])
    } catch (error) {
      if (isReply(error)) throw error
      return false
    } finally {
      forget()
    }
  }

  #reconnected(): { promise: Promise<void>; forget: () => void } {
    let forget = (): void => undefined
    const promise = new Promise<void>((resolve) => (forget = onceReady(this.#client, resolve)))
    return { promise, forget }
  }
}
