import { OpenError, WorkerDiedError } from '../errors.ts'
import { MAX_OPERATIONS, type ReplyMessage } from '../protocol.ts'
import { BackupRun, type BackupProgress } from './backup-run.ts'
import { Lane } from './lane.ts'
import type { Meter } from './meter.ts'
import type { Operation, Settle } from './operation.ts'
import type { Respawn } from './respawn.ts'
import type { Batch, Thread, ThreadEvents } from './thread.ts'

/** Messages under way: one that runs and one that waits, so that the thread never idles between them. */
const WINDOW = 2
const MAX_BYTES = 2 ** 20

export interface WriterParts {
  readonly settle: Settle
  readonly respawn: Respawn
  readonly meter: Meter
  /** Whether the database goes with its thread. */
  readonly isTemporary: boolean
  start(events: ThreadEvents): Thread
  /** Whether every operation is to be timed. */
  isTimed(): boolean
  /** A connection is open; the first time, and after each restart. */
  ready(wal: boolean): void
  answered(reply: ReplyMessage, batch: Batch): void
  restarting(cause: unknown, delayMs: number): void
  /** It will not come back. What it had was rejected. */
  failed(cause: unknown): void
}

/** Brings operations to the one connection that writes, in order, and starts it again when its thread dies. */
export class Writer {
  readonly root: Lane
  readonly #parts: WriterParts
  #thread: Thread | undefined
  #wasReady = false
  #isClosing = false
  #isScheduled = false
  /** Transactions that have the writer to themselves once a batch is answered. */
  readonly #holding = new Map<Operation, Lane[]>()
  #restartTimer: NodeJS.Timeout | undefined
  #death: { readonly cause: unknown } | undefined
  #whenIdle: (() => void) | undefined
  #backup: BackupRun | undefined

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.root = new Lane(parts.settle)
    this.#start()
  }

  /** Why nothing will run any more, as an operation that was not sent gets to know it. */
  get death(): Error | undefined {
    return this.#death && this.#deathOf(this.#death.cause, false)
  }

  get underWay(): number {
    return (
      this.#thread?.underWay.reduce((sum, batch) => sum + batch.operations.length - batch.answered, 0) ?? 0
    )
  }

  /** Sends what waits, once this tick has queued all it will. */
  schedule(): void {
    if (this.#isScheduled || (this.#thread && this.#thread.underWay.length >= WINDOW)) return
    this.#isScheduled = true
    process.nextTick(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  abort(operation: Operation): void {
    this.#thread?.abort(operation)
  }

  /** Imports a module before anything that is queued from now on. */
  load(file: string): void {
    this.#thread?.post({ type: 'load', file })
  }

  /** Copies the database while the caller has the writer to itself. */
  async backUp(path: string, progress: BackupProgress): Promise<void> {
    if (!this.#thread) throw this.#deathOf(undefined, false)
    this.#backup = new BackupRun(progress)
    this.#thread.post({ type: 'backup', path })
    await this.#backup.done
  }

  /** Resolves when nothing waits or is under way. */
  async idle(): Promise<void> {
    if (!this.#isIdle) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
  }

  /** Closes the connection and ends the thread, after what it was sent; or where it stands. */
  async close(atOnce: boolean): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#restartTimer)
    if (atOnce) await this.#thread?.kill()
    else await this.#thread?.close()
  }

  /** Ends the thread where it stands. */
  async kill(): Promise<void> {
    await this.#thread?.kill()
  }

  #start(): void {
    this.#thread = this.#parts.start({
      fulfilled: (operation, value) => this.#parts.settle.fulfilled(operation, value),
      failed: (operation, error) => this.#parts.settle.failed(operation, error),
      ready: (wal) => {
        this.#wasReady = true
        this.#parts.ready(wal)
      },
      answered: (reply, batch) => this.#answered(reply, batch),
      backup: (message) => this.#backup?.receive(message),
      died: (cause) => this.#died(cause),
    })
  }

  #pump(): void {
    while (this.#thread && this.#thread.underWay.length < WINDOW) if (!this.#sendNext(this.#thread)) break
    if (this.#isIdle) this.#whenIdle?.()
  }

  /** Sends the next message, unless there is nothing to send. */
  #sendNext(thread: Thread): boolean {
    const lane = this.#front()
    const operations = this.#collect(lane, thread)
    const [first] = operations
    if (!first) return false
    if (first.isCall) this.#parts.meter.waitMs.add(performance.now() - first.queuedAt)
    for (let sent: Lane | undefined = lane; sent; sent = sent.parent) sent.isSent = true
    thread.send(operations, { leased: lane !== this.root, streamed: false, timed: this.#parts.isTimed() })
    return true
  }

  get #isIdle(): boolean {
    if (this.#death) return true
    if (!this.#thread) return this.root.isEmpty
    return this.#thread.underWay.length === 0 && this.#front() === this.root && this.root.isEmpty
  }

  #collect(lane: Lane, thread: Thread): Operation[] {
    const operations: Operation[] = []
    let bytes = 0
    for (let entry = lane.peek(); entry && !(entry instanceof Lane); entry = lane.peek()) {
      operations.push(entry)
      lane.shift()
      bytes += entry.bytes + thread.textSizeOf(entry.what)
      if (operations.length >= MAX_OPERATIONS || bytes >= MAX_BYTES) break
    }
    return operations
  }

  /** The lane whose turn it is: the innermost transaction at the head of the line, or the line itself. */
  #front(): Lane {
    let lane = this.root
    for (let head = lane.peek(); head instanceof Lane; head = lane.peek()) {
      if (head.isOver) {
        lane.shift()
      } else {
        if (!head.isGranted) this.#grant(head)
        lane = head
      }
    }
    return lane.isOver ? this.#front() : lane
  }

  #grant(lane: Lane): void {
    lane.grant()
    const last = this.#thread?.underWay.at(-1)?.operations.at(-1)
    if (!last) lane.hold()
    else this.#holding.set(last, [...(this.#holding.get(last) ?? []), lane])
  }

  #answered(reply: ReplyMessage, batch: Batch): void {
    this.#parts.respawn.succeeded()
    this.#parts.answered(reply, batch)
    if (!reply.isLast) return
    this.#parts.meter.runMs.add(performance.now() - batch.sentAt)
    const last = batch.operations.at(-1)
    this.#pump() // the thread gets its next batch before callers run
    for (const lane of (last && this.#holding.get(last)) ?? []) lane.hold()
    if (last) this.#holding.delete(last)
  }

  #died(cause: unknown): void {
    const lost = this.#thread?.underWay ?? []
    this.#thread = undefined
    this.#backup?.fail(this.#deathOf(cause, false))
    for (const { operations, answered } of lost) {
      for (const operation of operations.slice(answered))
        this.#parts.settle.failed(operation, this.#deathOf(cause, true))
    }
    const head = this.root.peek()
    if (head instanceof Lane && head.isSent) head.abort(this.#deathOf(cause, false))
    for (const lanes of this.#holding.values()) for (const lane of lanes) lane.hold()
    this.#holding.clear()
    // a file that could not be opened at the start never will be
    const isFinal =
      this.#isClosing || this.#parts.isTemporary || (cause instanceof OpenError && !this.#wasReady)
    const delayMs = isFinal ? undefined : this.#parts.respawn.nextDelayMs()
    if (delayMs === undefined) this.#fail(cause)
    else this.#restart(cause, delayMs)
  }

  #restart(cause: unknown, delayMs: number): void {
    this.#parts.restarting(cause, delayMs)
    this.#restartTimer = setTimeout(() => {
      this.#start()
      this.#pump()
    }, delayMs)
  }

  /** Nothing will run any more: rejects what waits. */
  #fail(cause: unknown): void {
    this.#death = { cause }
    this.root.abort(this.#deathOf(cause, false))
    this.#parts.failed(cause)
    this.#whenIdle?.()
  }

  #deathOf(cause: unknown, maybeCommitted: boolean): Error {
    if (cause instanceof OpenError) return cause
    return new WorkerDiedError(maybeCommitted, cause, this.#parts.isTemporary)
  }
}
