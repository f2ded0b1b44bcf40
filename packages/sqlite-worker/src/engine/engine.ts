import { ClosedError, fromFailure, OpenError, WorkerDiedError } from '../errors.ts'
import type { BatchMessage, FromWorker, WireParams } from '../protocol.ts'
import { fail, Token } from '../token.ts'
import type { ResolvedSqliteWorkerOptions } from '../options.ts'
import { Lane, type BeginControl } from './lane.ts'
import { bytesOf, type Operation } from './operation.ts'
import { deliver } from './results.ts'
import { StatementIds } from './statement-ids.ts'
import { WriterThread } from './writer-thread.ts'

/** Messages under way: one that runs and one that waits, so that the thread never idles between them. */
const WINDOW = 2
const MAX_OPERATIONS = 512
const MAX_BYTES = 2 ** 20

interface Batch {
  readonly lane: Lane
  readonly operations: Operation[]
  /** Transactions that have the writer to themselves once this batch is answered. */
  readonly before: Lane[]
}

/** Brings operations to the writer thread, many in a message, and their outcomes back, in order. */
export class Engine {
  readonly root: Lane = new Lane(undefined, undefined)
  readonly #thread: WriterThread
  readonly #statementIds = new StatementIds()
  readonly #underWay: Batch[] = []
  readonly #onUnobservedError: ResolvedSqliteWorkerOptions['onUnobservedError']
  #scheduled = false
  #closing: Promise<void> | undefined
  #whenDrained: (() => void) | undefined
  #death: { readonly cause: unknown } | undefined

  constructor(file: string, options: ResolvedSqliteWorkerOptions) {
    const { synchronous, busyTimeoutMs, maxCount, executeInit, workerUrl, onUnobservedError } = options
    this.#onUnobservedError = onUnobservedError
    this.#thread = new WriterThread(
      workerUrl,
      { file, synchronous, busyTimeoutMs, maxCount, executeInit },
      { message: (message) => this.#receive(message), died: (cause) => this.#die(cause) },
    )
  }

  /** Queues a statement in a lane. */
  submit<T>(lane: Lane, sql: string, params: WireParams): Token<T> {
    const refusal = this.#refusal(lane)
    if (refusal) return this.refuse(refusal, lane)
    const token = this.#token<T>(lane)
    lane.push({ what: sql, params, bytes: bytesOf(params), token })
    this.schedule()
    return token
  }

  /** A token that has failed already, in a lane where there is one. */
  refuse<T>(error: unknown, lane: Lane = this.root): Token<T> {
    const token = this.#token<T>(lane)
    fail(token, error)
    lane.note(token)
    return token
  }

  /** A transaction rejects with the errors that nobody awaited, so they are not reported as well. */
  #token<T>(lane: Lane): Token<T> {
    return new Token<T>(lane === this.root ? this.#onUnobservedError : () => {})
  }

  /** Queues a transaction in a lane. @throws {ClosedError | WorkerDiedError} */
  open(parent: Lane, begin: BeginControl): Lane {
    const refusal = this.#refusal(parent)
    if (refusal) throw refusal
    const lane = parent.open(begin)
    this.schedule()
    return lane
  }

  /** Sends what waits, once this tick has queued all it will. */
  schedule(): void {
    if (this.#scheduled || this.#underWay.length >= WINDOW) return
    this.#scheduled = true
    process.nextTick(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  /** Waits for all that was queued, then closes the database and ends the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#thread.hold(true)
    if (!this.#isDrained()) await new Promise<void>((resolve) => (this.#whenDrained = resolve))
    if (!this.#death) this.#thread.post({ type: 'close' })
    await this.#thread.exited
    await new Promise((resolve) => setImmediate(resolve)) // errors that nobody awaited are reported by now
  }

  /** Why a lane takes nothing more, if so. */
  #refusal(lane: Lane): Error | undefined {
    if (this.#death) return this.#deathOf(false)
    return this.#closing && lane === this.root ? new ClosedError() : undefined
  }

  #pump(): void {
    while (this.#underWay.length < WINDOW && !this.#death) {
      const batch = this.#collect()
      if (!batch) break
      this.#underWay.push(batch)
      if (this.#underWay.length === 1) this.#thread.hold(true)
      this.#thread.post(this.#encode(batch))
    }
    if (this.#underWay.length === 0 && !this.#closing) this.#thread.hold(false)
    if (this.#isDrained()) this.#whenDrained?.()
  }

  #isDrained(): boolean {
    return (
      this.#death !== undefined ||
      (this.#underWay.length === 0 && this.#front() === this.root && this.root.isEmpty)
    )
  }

  #collect(): Batch | undefined {
    const lane = this.#front()
    const operations: Operation[] = []
    let bytes = 0
    for (let entry = lane.peek(); entry && !(entry instanceof Lane); entry = lane.peek()) {
      operations.push(entry)
      lane.shift()
      bytes += entry.bytes + this.#statementIds.sizeOf(entry.what)
      if (operations.length >= MAX_OPERATIONS || bytes >= MAX_BYTES) break
    }
    return operations.length > 0 ? { lane, operations, before: [] } : undefined
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
    const last = this.#underWay.at(-1)
    if (!last) lane.hold()
    else last.before.push(lane)
  }

  #encode({ lane, operations }: Batch): BatchMessage {
    const message: BatchMessage = {
      type: 'batch',
      leased: lane !== this.root,
      define: [],
      forget: [],
      operations: [],
    }
    for (const { what, params } of operations) {
      const id =
        typeof what === 'string' ? this.#statementIds.idOf(what, message.define, message.forget) : what
      message.operations.push(id, params)
    }
    return message
  }

  #receive(message: FromWorker): void {
    if (message.type === 'open-failed') {
      this.#fail(fromFailure(message.failure, undefined))
      return
    }
    const batch = this.#underWay.shift()
    this.#pump() // the thread gets its next batch before callers run
    if (!batch) return
    for (const lane of batch.before) lane.hold()
    deliver(batch.lane, batch.operations, message)
  }

  #die(cause: unknown): void {
    if (this.#death || (this.#closing && this.#isDrained())) return
    this.#fail(cause)
  }

  /** Nothing will run any more: rejects what is under way and what waits. */
  #fail(cause: unknown): void {
    this.#death = { cause }
    for (const { lane, operations } of this.#underWay.splice(0)) {
      for (const operation of operations) lane.rejectOperation(operation, this.#deathOf(true))
    }
    this.root.abort(this.#deathOf(false))
    this.#whenDrained?.()
  }

  #deathOf(maybeCommitted: boolean): Error {
    const cause = this.#death?.cause
    return cause instanceof OpenError ? cause : new WorkerDiedError(maybeCommitted, cause)
  }
}
