import { QueueLimitError } from '../errors.ts'
import { Fifo } from './fifo.ts'
import type { KeepAlive } from './keep-alive.ts'
import type { Operation } from './operation.ts'

export interface QueueLimitsOptions {
  readonly maxQueueSize: number
  readonly maxQueueBytes: number
  readonly queuePolicy: 'wait' | 'reject'
  readonly queueTimeoutMs: number
}

/** Counts what was taken and has no outcome yet, and says when that is too much or has waited for too long. */
export class QueueLimits {
  readonly #options: QueueLimitsOptions
  readonly #keepAlive: KeepAlive
  readonly #giveUp: (operation: Operation, error: Error) => void
  /** Operations that may still wait, in order, where waiting is limited. */
  readonly #waiting = new Fifo<Operation>()
  #timer: NodeJS.Timeout | undefined
  #whenReady: (() => void)[] = []
  size = 0
  bytes = 0

  constructor(
    options: QueueLimitsOptions,
    keepAlive: KeepAlive,
    giveUp: (operation: Operation, error: Error) => void,
  ) {
    this.#options = options
    this.#keepAlive = keepAlive
    this.#giveUp = giveUp
  }

  /** Why nothing more is taken, if so. */
  refusal(): Error | undefined {
    if (this.#options.queuePolicy === 'wait' || this.hasRoom) return undefined
    const { maxQueueSize, maxQueueBytes } = this.#options
    return new QueueLimitError(
      'ERR_QUEUE_FULL',
      `The queue is full: ${this.size} operations of ${maxQueueSize}, ${this.bytes} bytes of ${maxQueueBytes}`,
    )
  }

  get hasRoom(): boolean {
    return this.size < this.#options.maxQueueSize && this.bytes < this.#options.maxQueueBytes
  }

  /** Resolves once there is room. */
  async ready(): Promise<void> {
    while (!this.hasRoom) await new Promise<void>((resolve) => this.#whenReady.push(resolve))
  }

  /** @param isTimed whether it may wait too long: what belongs to a transaction has the time of that one */
  add(operation: Operation, isTimed: boolean): void {
    if (this.size === 0) this.#keepAlive.hold()
    this.size += 1
    this.bytes += operation.bytes
    if (!isTimed || this.#options.queueTimeoutMs === Infinity) return
    this.#waiting.push(operation)
    if (!this.#timer) this.#timer = this.#checkAfter(this.#options.queueTimeoutMs)
  }

  done(operation: Operation): void {
    this.size -= 1
    if (this.size === 0) this.#keepAlive.release()
    this.bytes -= operation.bytes
    this.#dropDone()
    if (this.#whenReady.length > 0 && this.hasRoom) for (const resolve of this.#whenReady.splice(0)) resolve()
  }

  #checkAfter(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined
      this.#check()
    }, ms).unref()
  }

  /** Gives up what waited for too long; looks again when the oldest of the rest will have. */
  #check(): void {
    const { queueTimeoutMs } = this.#options
    for (let oldest = this.#dropDone(); oldest; oldest = this.#dropDone()) {
      const leftMs = oldest.queuedAt + queueTimeoutMs - performance.now()
      if (leftMs > 0) {
        this.#timer = this.#checkAfter(leftMs)
        return
      }
      this.#giveUp(oldest, waitedTooLong(queueTimeoutMs))
    }
  }

  /** Lets go of those that wait no more; returns the oldest that does. */
  #dropDone(): Operation | undefined {
    let oldest = this.#waiting.peek()
    for (; oldest && (oldest.isSent || oldest.isSettled); oldest = this.#waiting.peek()) this.#waiting.shift()
    return oldest
  }
}

function waitedTooLong(ms: number): Error {
  return new QueueLimitError(
    'ERR_QUEUE_TIMEOUT',
    `The operation waited ${ms} ms in the queue and did not run`,
  )
}
