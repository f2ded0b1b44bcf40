import { createHash, randomBytes } from 'node:crypto'
import type { Stale, Timing } from '../backend.ts'
import type { RedisClient } from './client.ts'
import type { RedisCapture } from './entries.ts'
import { STAMP_RANGE } from './entry.ts'
import type { Gate } from './gate.ts'
import { Lock } from './lock.ts'
import { takeLock, type LockKey, type Taken } from './scripts.ts'
import { subscriberOf } from './subscriber.ts'
import { Unlocks } from './unlocks.ts'

/** How long a waiter sleeps at first before it looks for itself, in case that a message was lost; then ever longer. */
const MIN_POLL_MS = 100
const MAX_POLL_MS = 1000

/** What a look found: a valid value, or the tokens for a computation (none while Redis cannot be used). */
export type Look =
  | { readonly hit: true; readonly value: unknown; readonly timing?: Timing | undefined }
  | {
      readonly hit: false
      readonly capture: RedisCapture | undefined
      readonly stale?: Stale | undefined
    }

interface LeadOptions {
  /** Looks for a valid value now. */
  readonly look: () => Promise<Look>
  readonly lockTtlMs: number
  readonly lockTimeoutMs: number
}

/**
 * Lets one process compute a value while others wait for it. There is a lock for each state of a value, as told by the
 * flight of a capture: a computation from before an invalidation keeps nobody waiting who came after it.
 */
export class Singleflight {
  readonly #client: RedisClient
  readonly #gate: Gate
  readonly #unlocks: Unlocks

  constructor(client: RedisClient, gate: Gate) {
    this.#client = client
    this.#gate = gate
    this.#unlocks = new Unlocks(client)
  }

  /**
   * Resolves to a value that another process computed, which is valid when it is found here, or to what this process
   * shall compute with: with a lock as the one that leads; without one when it has waited long enough, or the one
   * that led has ended without a value, or has none for others. Rejects when Redis fails.
   */
  async lead(given: RedisCapture, { look, lockTtlMs, lockTimeoutMs }: LeadOptions): Promise<Look> {
    const until = performance.now() + lockTimeoutMs
    const bell = new Bell()
    const endedWithout = new Set<string>()
    let capture = given
    let heard: string | undefined
    let stopListening: (() => void) | undefined
    try {
      for (let turn = 0; ; turn += 1) {
        const key = { name: lockName(capture), secret: randomBytes(12).toString('base64url') }
        const taken = await this.#take(key, capture, lockTtlMs)
        if (taken === 'taken') {
          const parts = { client: this.#client, gate: this.#gate, unlocks: this.#unlocks }
          const lock = new Lock(key, { ...parts, ttlMs: lockTtlMs })
          return { hit: false, capture: { ...capture, lock } }
        }
        if (taken !== 'changed') {
          if (heard !== key.name) {
            stopListening?.()
            heard = key.name
            stopListening = subscriberOf(this.#client).listen(heard, (message) => {
              if (message === 'none') endedWithout.add(key.name)
              bell.ring()
            })
          }
          // 1 ms more: a lock may be held for a part of one. The first ring is that messages can be heard from now on.
          await bell.wait(Math.min(taken + 1, pollMs(turn), until - performance.now()))
        }
        const found = await look()
        if (found.hit || !found.capture || performance.now() >= until) return found
        if (endedWithout.has(lockName(found.capture))) return found
        capture = found.capture
      }
    } finally {
      stopListening?.()
    }
  }

  async #take(
    key: LockKey,
    { valueKeys: [valueKey], token, seenStamp = '' }: RedisCapture,
    ttlMs: number,
  ): Promise<Taken> {
    const wanted = { valueKey, token, seenStamp, stampRange: STAMP_RANGE, ttlMs }
    let isSent = false
    try {
      return await this.#gate.run('lock', () => {
        isSent = true
        return takeLock(this.#client, key, wanted)
      })
    } catch (error) {
      // It may be taken all the same, now or when the client sends it again.
      if (isSent) this.#unlocks.end(key)
      throw error
    }
  }
}

/** Beside the key of the value, so that one script can touch both in a Cluster. */
function lockName({ flight, valueKeys: [valueKey] }: RedisCapture): string {
  return `${valueKey}:l:${createHash('sha256').update(flight).digest('base64url')}`
}

/** Random, so that waiters do not all come at once. */
function pollMs(turn: number): number {
  return Math.min(MIN_POLL_MS * 2 ** turn, MAX_POLL_MS) * (0.5 + Math.random() / 2)
}

/** Wakes the one who waits, also when it rang before. */
class Bell {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#rung = false
    this.#wake = undefined
  }
}
