import { setTimeout as sleep } from 'node:timers/promises'

export interface OutboxEvents {
  /** Told of each failure; resolves to whether it makes sense to try again. */
  readonly failed: (error: unknown) => Promise<boolean>
}

/** Writes that must reach the database: tried again while it is locked or full. Each must be harmless when done twice. */
export class Outbox {
  readonly #events: OutboxEvents
  readonly #retryMs: number
  readonly #pending = new Set<Promise<void>>()
  #isStopped = false

  constructor(retryMs: number, events: OutboxEvents) {
    this.#retryMs = retryMs
    this.#events = events
  }

  send(write: () => Promise<void>): void {
    const sending = this.#send(write)
    this.#pending.add(sending)
    void sending.finally(() => this.#pending.delete(sending))
  }

  /** Resolves once nothing is on its way. */
  async empty(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  /** Gives up what has not been written at the next failure. */
  stop(): void {
    this.#isStopped = true
  }

  async #send(write: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await write()
        return
      } catch (error) {
        if (!(await this.#events.failed(error)) || this.#isStopped) return
        await sleep(this.#retryMs)
      }
    }
  }
}
