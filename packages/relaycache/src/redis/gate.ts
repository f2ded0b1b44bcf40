import type { CacheBackend, Counters } from '../backend.ts'
import type { BreakerState } from '../breaker-state.ts'
import { channelOf } from '../diagnostics.ts'
import { BackendError, DeadlineExceededError, isRelayCacheError } from '../errors.ts'
import type { OnError } from '../reporter.ts'
import { onceReady, type RedisClient } from './client.ts'

/** How long the breaker stays open before it tries again. */
const COOLDOWN_MS = 1000

const breakerChannel = channelOf('relaycache:breaker')

interface GateOptions {
  readonly backend: CacheBackend
  readonly client: RedisClient
  readonly deadlineMs: number
  readonly counters: Counters
  readonly report: OnError
  /** A harmless command that tells whether Redis answers again. */
  readonly probe: () => Promise<unknown>
  /** Called when the breaker closes. */
  readonly whenClosed: () => void
}

/**
 * Everything sent to Redis passes here: it has a deadline, and after the first failure of the connection a circuit
 * breaker keeps the next callers from waiting. A probe in the background closes the breaker; no caller pays for it.
 */
export class Gate {
  readonly #options: GateOptions
  #state: BreakerState = 'closed'
  #probeAt = 0

  constructor(options: GateOptions) {
    this.#options = options
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether the breaker is closed. Starts the next probe of an open one once it is due. */
  admits(): boolean {
    if (this.#state === 'open' && performance.now() >= this.#probeAt) {
      this.#become('half-open')
      void this.#probe()
    }
    return this.#state === 'closed'
  }

  /**
   * The reply to one or more commands.
   * @throws {BackendError | DeadlineExceededError} already reported; at once while the breaker is open
   */
  async run<T>(operation: string, send: () => Promise<T>): Promise<T> {
    if (!this.admits()) throw new BackendError(operation, { cause: 'the circuit breaker is open' })
    try {
      return await this.insist(operation, this.#options.deadlineMs, send)
    } catch (error) {
      if (isRelayCacheError(error)) this.#options.report(error)
      throw error
    }
  }

  /** Like {@link run}, but even while the breaker is open, with a deadline of its own, and without a report. */
  async insist<T>(operation: string, deadlineMs: number, send: () => Promise<T>): Promise<T> {
    const { client, counters } = this.#options
    try {
      return await within(operation, deadlineMs, { client, send })
    } catch (cause) {
      counters.errors += 1
      if (!isReply(cause)) this.#open()
      throw cause instanceof DeadlineExceededError ? cause : new BackendError(operation, { cause })
    }
  }

  #become(state: BreakerState): void {
    if (state === this.#state) return
    this.#state = state
    if (breakerChannel.hasSubscribers) breakerChannel.publish({ backend: this.#options.backend, state })
  }

  #open(): void {
    this.#become('open')
    this.#probeAt = performance.now() + COOLDOWN_MS
  }

  #close(): void {
    this.#become('closed')
    this.#options.whenClosed()
  }

  async #probe(): Promise<void> {
    try {
      await this.insist('probe', this.#options.deadlineMs, this.#options.probe)
      this.#close()
    } catch (error) {
      // Redis answered, if only with an error: it is there.
      if (isReply((error as Error).cause)) this.#close()
    }
  }
}

/** An error that Redis answered with, as opposed to no answer. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

/**
 * The result of `send`, which is called once commands can be sent, or a rejection when that takes too long. Nothing is sent
 * after that. When the time is over the event loop gets one more turn first: after a blocked loop the reply is already
 * there, and only has not been read yet.
 */
function within<T>(
  operation: string,
  deadlineMs: number,
  { client, send }: { client: RedisClient; send: () => Promise<T> },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const start = async (): Promise<void> => {
      try {
        resolve(await send())
      } catch (error) {
        reject(error)
      } finally {
        clearTimeout(timer)
      }
    }
    const giveUp = client.status === 'ready' ? undefined : onceReady(client, () => void start())
    const timer = setTimeout(() => {
      giveUp?.()
      setImmediate(() => {
        reject(new DeadlineExceededError(operation, deadlineMs))
      })
    }, deadlineMs)
    if (!giveUp) void start()
  })
}
