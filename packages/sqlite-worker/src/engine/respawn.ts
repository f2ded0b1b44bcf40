export interface RespawnOptions {
  readonly autoReconnect: boolean
  readonly maxRetries: number
  /** Seconds. */
  readonly retryDelay: number
}

const MAX_DELAY_MS = 30_000

/** Decides whether a thread that died is started again, and when. One that dies again before it has answered anything counts as another try. */
export class Respawn {
  readonly #options: RespawnOptions
  #tries = 0
  /** How often a thread was started again. */
  restarts = 0

  constructor(options: RespawnOptions) {
    this.#options = options
  }

  /** Milliseconds to wait before the next try, doubled each time; undefined when it is to stay down. */
  nextDelayMs(): number | undefined {
    const { autoReconnect, maxRetries, retryDelay } = this.#options
    if (!autoReconnect || this.#tries >= maxRetries) return undefined
    this.#tries += 1
    this.restarts += 1
    return Math.min(MAX_DELAY_MS, 1000 * retryDelay * 2 ** (this.#tries - 1))
  }

  /** To be called when a thread has answered. */
  succeeded(): void {
    this.#tries = 0
  }
}
