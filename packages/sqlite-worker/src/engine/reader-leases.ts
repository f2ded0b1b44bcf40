import type { BackupProgressMessage } from '../protocol.ts'
import { Fifo } from './fifo.ts'
import type { Settle } from './operation.ts'
import type { Thread, ThreadEvents } from './thread.ts'

export interface ReaderLeasesParts {
  readonly maxStreams: number
  readonly settle: Settle
  start(events: ThreadEvents): Thread
}

/** A connection that one caller has to itself: a stream, or a copy. */
export interface ReaderLease {
  readonly thread: Thread
  onBackup: ((progress: BackupProgressMessage) => void) | undefined
  /** Called when the thread died; what it had under way is the holder's to reject. */
  onDied: ((cause: unknown) => void) | undefined
  /** Called to have it back before the holder is done. */
  onClosing: ((error: Error) => void) | undefined
  /** Gives it back, once. It is lent again when it has nothing under way. */
  release(): void
}

interface Request {
  readonly resolve: (lease: ReaderLease) => void
  readonly reject: (error: unknown) => void
}

/** Readers that are lent to one caller at a time. One that is given back is kept for the next. */
export class ReaderLeases {
  readonly #parts: ReaderLeasesParts
  readonly #requests = new Fifo<Request>()
  readonly #lent = new Set<ReaderLease>()
  /** Given back, and not free yet. */
  readonly #returned = new Set<ReaderLease>()
  #spare: ReaderLease | undefined
  /** Threads that were one too many, until they have ended. */
  readonly #ending = new Set<Promise<void>>()
  #isEnabled = false
  #death: Error | undefined
  #whenIdle: (() => void) | undefined

  constructor(parts: ReaderLeasesParts) {
    this.#parts = parts
  }

  get count(): number {
    return this.#lent.size
  }

  enable(): void {
    this.#isEnabled = true
    this.#pump()
  }

  /** Resolves once one of `maxStreams` is free. Rejects when the file cannot be opened or the worker was closed. */
  async acquire(): Promise<ReaderLease> {
    if (this.#death) throw this.#death
    return new Promise((resolve, reject) => {
      this.#requests.push({ resolve, reject })
      this.#pump()
    })
  }

  /** Rejects who waits. */
  fail(error: Error): void {
    this.#death ??= error
    for (const { reject } of this.#requests.drain()) reject(error)
    this.#whenIdle?.()
  }

  /** Rejects who waits, and asks the holders to end. */
  end(error: Error): void {
    this.fail(error)
    for (const lease of this.#lent) lease.onClosing?.(error)
  }

  async idle(): Promise<void> {
    while (this.#lent.size > 0 || this.#requests.size > 0)
      await new Promise<void>((resolve) => (this.#whenIdle = resolve))
  }

  async close(atOnce: boolean): Promise<void> {
    const leases = this.#spare ? [this.#spare, ...this.#lent] : [...this.#lent]
    await Promise.all(leases.map(({ thread }) => (atOnce ? thread.kill() : thread.close())))
    if (!atOnce) await Promise.all(this.#ending)
  }

  #pump(): void {
    while (this.#isEnabled && this.#requests.size > 0 && this.#lent.size < this.#parts.maxStreams) {
      const lease = this.#spare ?? this.#start()
      this.#spare = undefined
      this.#lent.add(lease)
      this.#requests.shift()?.resolve(lease)
    }
  }

  #start(): ReaderLease {
    const { settle } = this.#parts
    const thread = this.#parts.start({
      fulfilled: (operation, value) => settle.fulfilled(operation, value),
      failed: (operation, error) => settle.failed(operation, error),
      ready: () => {},
      answered: () => this.#answered(lease),
      backup: (progress) => lease.onBackup?.(progress),
      died: (cause) => this.#died(lease, cause),
    })
    const lease: ReaderLease = {
      thread,
      onBackup: undefined,
      onDied: undefined,
      onClosing: undefined,
      release: () => this.#release(lease),
    }
    return lease
  }

  #release(lease: ReaderLease): void {
    lease.onBackup = undefined
    lease.onDied = undefined
    lease.onClosing = undefined
    this.#returned.add(lease)
    if (lease.thread.underWay.length === 0) lease.thread.hold(false)
    this.#answered(lease)
  }

  #answered(lease: ReaderLease): void {
    if (lease.thread.underWay.length > 0 || !this.#returned.delete(lease)) return
    if (!this.#lent.delete(lease)) return
    if (this.#spare) this.#dismiss(lease)
    else this.#spare = lease
    this.#next()
  }

  #dismiss({ thread }: ReaderLease): void {
    const ended = thread.close()
    this.#ending.add(ended)
    void ended.then(() => this.#ending.delete(ended))
  }

  #died(lease: ReaderLease, cause: unknown): void {
    if (this.#spare === lease) this.#spare = undefined
    lease.onDied?.(cause)
    this.#returned.delete(lease)
    if (this.#lent.delete(lease)) this.#next()
  }

  #next(): void {
    this.#pump()
    this.#whenIdle?.()
  }
}
