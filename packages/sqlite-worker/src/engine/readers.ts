import { ClosedError, OpenError, WorkerDiedError } from '../errors.ts'
import { Fifo } from './fifo.ts'
import type { Meter } from './meter.ts'
import type { Operation, Settle } from './operation.ts'
import { ReaderLeases, type ReaderLease } from './reader-leases.ts'
import type { Respawn } from './respawn.ts'
import { SlowStatements } from './slow-statements.ts'
import type { Batch, Thread, ThreadEvents } from './thread.ts'
import type { ReplyMessage } from '../protocol.ts'

/** The most reads of a message: they wait for one another. */
const MAX_BATCH = 64
/** A read that was given up and does not stop within this time is left alone, and its thread replaced. */
const WEDGED_MS = 100
/** Threads that are left alone at once; beyond, reads wait for one of them. */
const MAX_WEDGED = 4

export interface ReadersParts {
  readonly limit: number
  readonly maxStreams: number
  readonly settle: Settle
  readonly respawn: Respawn
  readonly meter: Meter
  start(events: ThreadEvents): Thread
  isTimed(): boolean
  answered(reply: ReplyMessage, batch: Batch): void
  restarting(cause: unknown, delayMs: number): void
}

/** A read, or a caller who wants a connection, and the number of writes that must be done before. */
interface Waiting {
  readonly what: Operation | ((value: unknown) => void)
  readonly after: number
}

interface Reader {
  readonly thread: Thread
  isOpen: boolean
  isWedged: boolean
}

/** Runs reads on connections of their own, beside the writer. Reads may overtake each other, never the writes they must see. */
export class Readers {
  readonly #leases: ReaderLeases
  readonly #parts: ReadersParts
  readonly #waiting = new Fifo<Waiting>()
  readonly #ready = new Fifo<Operation>()
  readonly #readers = new Set<Reader>()
  readonly #wedged = new Set<Reader>()
  readonly #slow = new SlowStatements()
  #writesDone = 0
  #isEnabled = false
  #isScheduled = false
  #restartTimer: NodeJS.Timeout | undefined
  #death: { readonly cause: unknown } | undefined
  #whenIdle: (() => void) | undefined

  constructor(parts: ReadersParts) {
    this.#parts = parts
    this.#leases = new ReaderLeases(parts)
  }

  get count(): number {
    return this.#readers.size
  }

  get underWay(): number {
    let sum = 0
    for (const { thread } of this.#readers)
      for (const batch of thread.underWay) sum += batch.operations.length
    return sum
  }

  /** Queues a read that must see so many writes. */
  submit(operation: Operation, after: number): void {
    if (this.#death) return this.#parts.settle.failed(operation, deathOf(this.#death.cause))
    if (after <= this.#writesDone) this.#ready.push(operation)
    else this.#waiting.push({ what: operation, after })
    this.#schedule()
  }

  /** A connection that sees so many writes, for one caller. Rejects as {@link ReaderLeases.acquire}. */
  async lease(after: number): Promise<ReaderLease> {
    if (after > this.#writesDone) await new Promise((what) => this.#waiting.push({ what, after }))
    return this.#leases.acquire()
  }

  get leased(): number {
    return this.#leases.count
  }

  endLeases(error: Error): void {
    this.#leases.end(error)
  }

  /** So many writes are done, in order. */
  writesDone(count: number): void {
    this.#writesDone = count
    if (this.#waiting.size > 0) this.#schedule()
  }

  /** The file is open and can be read beside the writer. */
  enable(): void {
    this.#isEnabled = true
    this.#leases.enable()
    this.#schedule()
  }

  /** Takes back every read that no thread has yet: they have to run elsewhere. */
  takeBack(): Operation[] {
    const taken = this.#ready.drain()
    for (const { what } of this.#waiting.drain()) {
      if (typeof what === 'function') what(undefined)
      else taken.push(what)
    }
    return taken
  }

  /** Stops a read that nobody waits for. */
  abort(operation: Operation): void {
    for (const reader of this.#readers) {
      if (!reader.thread.underWay.some(({ operations }) => operations.includes(operation))) continue
      reader.thread.abort(operation)
      setTimeout(() => this.#replaceIfWedged(reader, operation), WEDGED_MS).unref()
    }
  }

  /** Rejects what waits. */
  fail(cause: unknown): void {
    this.#death = { cause }
    for (const operation of this.takeBack()) this.#parts.settle.failed(operation, deathOf(cause))
    this.#leases.fail(deathOf(cause))
    this.#tellIdle()
  }

  async idle(): Promise<void> {
    while (!this.#isIdle) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
    await this.#leases.idle()
  }

  /** Ends the threads after what they were sent, or where they stand. */
  async close(atOnce: boolean): Promise<void> {
    clearTimeout(this.#restartTimer)
    this.#death ??= { cause: new ClosedError() }
    await Promise.all([
      this.#leases.close(atOnce),
      ...[...this.#readers].map(({ thread }) => (atOnce ? thread.kill() : thread.close())),
      ...[...this.#wedged].map(({ thread }) => thread.kill()),
    ])
  }

  /** Ends one thread where it stands; returns whether there was one. */
  async kill(): Promise<boolean> {
    const [reader] = this.#readers
    await reader?.thread.kill()
    return reader !== undefined
  }

  get #isIdle(): boolean {
    return (
      this.#ready.size === 0 &&
      this.#waiting.size === 0 &&
      [...this.#readers].every(({ thread }) => thread.underWay.length === 0)
    )
  }

  #tellIdle(): void {
    if (this.#whenIdle && this.#isIdle) this.#whenIdle()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    for (
      let head = this.#waiting.peek();
      head && head.after <= this.#writesDone;
      head = this.#waiting.peek()
    ) {
      if (typeof head.what === 'function') head.what(undefined)
      else this.#ready.push(head.what)
      this.#waiting.shift()
    }
    if (!this.#isEnabled) return
    const idle = [...this.#readers].filter(({ isOpen, thread }) => isOpen && thread.underWay.length === 0)
    for (const [index, { thread }] of idle.entries()) {
      const share = Math.min(MAX_BATCH, Math.ceil(this.#ready.size / (idle.length - index)))
      const operations = this.#collect(share)
      const [first] = operations
      if (!first) break
      this.#parts.meter.waitMs.add(performance.now() - first.queuedAt)
      thread.send(operations, { leased: false, streamed: false, timed: this.#parts.isTimed() })
    }
    if (this.#ready.size > 0) this.#grow()
    this.#tellIdle()
  }

  /** The next reads, without those that were given up; one that takes long goes alone. */
  #collect(share: number): Operation[] {
    const operations: Operation[] = []
    for (let next = this.#ready.peek(); next && operations.length < share; next = this.#ready.peek()) {
      const isSlow = this.#slow.has(next.what)
      if (isSlow && operations.length > 0) break
      this.#ready.shift()
      if (!next.isSettled) operations.push(next)
      else this.#parts.settle.fulfilled(next, undefined)
      if (isSlow && operations.length > 0) break
    }
    return operations
  }

  /** Starts another thread, one at a time, where reads wait for one. */
  #grow(): void {
    if (this.#restartTimer || this.#readers.size >= this.#parts.limit || this.#death) return
    if ([...this.#readers].some(({ isOpen }) => !isOpen)) return
    this.#start()
  }

  #start(): void {
    const { settle } = this.#parts
    const thread = this.#parts.start({
      fulfilled: (operation, value) => settle.fulfilled(operation, value),
      failed: (operation, error) => settle.failed(operation, error),
      ready: () => {
        reader.isOpen = true
        this.#pump()
      },
      answered: (reply, batch) => this.#answered(reader, reply, batch),
      backup: () => {},
      died: (cause) => this.#died(reader, cause),
    })
    const reader: Reader = { thread, isOpen: false, isWedged: false }
    this.#readers.add(reader)
  }

  #answered(reader: Reader, reply: ReplyMessage, batch: Batch): void {
    this.#parts.respawn.succeeded()
    if (reader.isWedged) {
      if (reply.isLast) this.#dismiss(reader)
      return
    }
    this.#slow.learn(reply, batch)
    this.#parts.answered(reply, batch)
    if (!reply.isLast) return
    this.#parts.meter.runMs.add(performance.now() - batch.sentAt)
    this.#pump()
  }

  /** A native call cannot be stopped: leaves its thread alone until it is done, and runs its other reads elsewhere. */
  #replaceIfWedged(reader: Reader, operation: Operation): void {
    const batch = reader.thread.underWay.find(({ operations }) => operations.includes(operation))
    const isAnswered = !batch || batch.operations.indexOf(operation) < batch.answered
    const isHere = this.#readers.has(reader) // neither dead nor wedged: its reads would be put in line twice
    if (isAnswered || !isHere || this.#wedged.size >= MAX_WEDGED) return
    reader.isWedged = true
    this.#readers.delete(reader)
    this.#wedged.add(reader)
    this.#requeue(reader)
    this.#schedule()
  }

  #dismiss(reader: Reader): void {
    this.#wedged.delete(reader)
    void reader.thread.close()
    this.#schedule()
  }

  /** Puts reads that a thread will not answer back in line; reading twice does no harm. */
  #requeue({ thread }: Reader): void {
    for (const operation of thread.forsake()) {
      operation.rows = undefined
      if (this.#death) this.#parts.settle.failed(operation, deathOf(this.#death.cause))
      else this.#ready.push(operation)
    }
  }

  #died(reader: Reader, cause: unknown): void {
    this.#wedged.delete(reader)
    if (!this.#readers.delete(reader)) return
    const delayMs = this.#death ? undefined : this.#parts.respawn.nextDelayMs()
    if (delayMs === undefined && !this.#death) this.fail(cause)
    this.#requeue(reader)
    if (delayMs === undefined) return
    this.#parts.restarting(cause, delayMs)
    this.#restartTimer ??= setTimeout(() => {
      this.#restartTimer = undefined
      this.#pump()
    }, delayMs)
  }
}

function deathOf(cause: unknown): Error {
  return cause instanceof OpenError || cause instanceof ClosedError
    ? cause
    : new WorkerDiedError(false, cause)
}
