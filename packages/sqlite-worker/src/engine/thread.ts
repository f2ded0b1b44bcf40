import { Worker } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { fromFailure } from '../errors.ts'
import {
  MAX_OPERATIONS,
  Shared,
  type BackupProgressMessage,
  type FromWorker,
  type Int64Mode,
  type ReplyMessage,
  type ThreadConfig,
  type ToWorker,
} from '../protocol.ts'
import { elapsed } from './elapsed.ts'
import { encodeBatch, type BatchTraits } from './encode.ts'
import type { Operation, Settle } from './operation.ts'
import { MAY_SPIN, ReplyWatch } from './reply-watch.ts'
import { Results, type SentBatch } from './results.ts'
import { StatementIds } from './statement-ids.ts'

/** Which thread to start. */
export interface ThreadInit extends Omit<ThreadConfig, 'shared' | 'maySpin'> {
  readonly workerUrl: URL
  readonly int64: Int64Mode
}

export interface ThreadEvents extends Settle {
  /** The connection is open. */
  ready(wal: boolean): void
  /** Something was answered; the batch, when that was the last of it. */
  answered(reply: ReplyMessage, batch: Batch): void
  backup(progress: BackupProgressMessage): void
  /** The thread is gone, or could not open its file; nothing follows. Not called after {@link Thread.close}. */
  died(cause: unknown): void
}

/** Operations that were sent in one message. */
export interface Batch extends SentBatch {
  readonly number: number
  readonly forget: readonly number[]
  readonly sentAt: number
}

/** How long a thread may take to notice that it is to end, and then to be stopped. */
const ENDING_MS = 1000
const TERMINATING_MS = 250

let addonLoaded = false

/** One thread and its connection, from its start to its end: operations in, outcomes out, in order. */
export class Thread {
  readonly #worker: Worker
  readonly #events: ThreadEvents
  readonly #memory = new Int32Array(new SharedArrayBuffer(4 * Shared.length))
  readonly #statementIds: StatementIds
  readonly #results: Results
  readonly #underWay: Batch[] = []
  readonly #watch = new ReplyWatch(() => this.#underWay.length > 0)
  #batches = 0
  #isOver = false
  /** Whether what it says is not heard any more. */
  #isDead = false
  #isForsaken = false
  readonly exited: Promise<void>

  constructor({ workerUrl, int64, ...config }: ThreadInit, events: ThreadEvents) {
    this.#events = events
    this.#statementIds = new StatementIds(int64)
    this.#results = new Results(events)
    // loading the addon only in threads that end crashes the process (https://github.com/WiseLibs/better-sqlite3/issues/1476)
    if (!addonLoaded) new Database(':memory:').close()
    addonLoaded = true
    const workerData: ThreadConfig = { ...config, shared: this.#memory.buffer, maySpin: MAY_SPIN }
    const worker = new Worker(workerUrl, { workerData })
    worker.on('message', (message: FromWorker) => this.#receive(message))
    worker.on('error', (error) => this.#die(error))
    this.exited = new Promise((resolve) => {
      worker.on('exit', (exitCode) => {
        this.#die(new Error(`The thread ended with exit code ${exitCode}`))
        resolve()
      })
    })
    worker.unref() // after the listeners, which would hold it again
    this.#worker = worker
  }

  /** Batches that were sent and not answered yet. */
  get underWay(): readonly Batch[] {
    return this.#underWay
  }

  /** What a statement's text adds to the next message. */
  textSizeOf(what: string | number): number {
    return this.#statementIds.sizeOf(what)
  }

  /** Sends at most {@link MAX_OPERATIONS}; at most two batches may be under way. */
  send(operations: readonly Operation[], traits: BatchTraits): void {
    const number = this.#batches++
    this.#clearAborts(number)
    const message = encodeBatch(operations, this.#statementIds, traits)
    for (const operation of operations) operation.isSent = true
    const { forget, operations: codes } = message
    if (this.#underWay.length === 0) this.hold(true)
    const sentAt = performance.now()
    this.#underWay.push({ number, operations, codes, forget, answered: 0, sentAt })
    this.post(message)
    this.#watch.sent(sentAt)
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message)
    Atomics.add(this.#memory, Shared.messagesSent, 1)
  }

  /** Tells the thread that nobody waits for an operation. It is not run, or stops between two rows. */
  abort(operation: Operation): void {
    for (const { number, operations } of this.#underWay) {
      const index = operations.indexOf(operation)
      if (index === -1) continue
      Atomics.or(this.#memory, firstWordOf(number) + (index >> 5), 1 << (index & 31))
      Atomics.notify(this.#memory, Shared.chunksTaken)
    }
  }

  /** Says that chunks of rows have been taken, so that as many more may come. */
  takeChunks(count: number): void {
    Atomics.add(this.#memory, Shared.chunksTaken, count)
    Atomics.notify(this.#memory, Shared.chunksTaken)
  }

  /** Whether the thread keeps the process alive. */
  hold(busy: boolean): void {
    if (busy) this.#worker.ref()
    else this.#worker.unref()
  }

  /** Closes the connection and ends the thread once it has answered everything. */
  async close(): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true
      this.hold(true)
      this.post({ type: 'close' })
    }
    await this.exited
  }

  /**
   * Ends the thread after the statement it is in; it answers nothing more. What does not end within a second is
   * JavaScript of the user, which can be stopped where it stands, or a native call, which cannot: that thread counts as
   * dead, and is not waited for. (To `terminate()` one that is soon done would crash the process when better-sqlite3 throws.)
   */
  async kill(): Promise<void> {
    Atomics.store(this.#memory, Shared.stop, 1)
    Atomics.notify(this.#memory, Shared.stop)
    Atomics.notify(this.#memory, Shared.chunksTaken)
    this.hold(true)
    this.post({ type: 'close' })
    if (await this.#endsWithin(ENDING_MS)) return
    void this.#worker.terminate()
    if (await this.#endsWithin(TERMINATING_MS)) return
    this.hold(false)
    this.#die(new Error('The thread was within a call that did not end'))
  }

  async #endsWithin(ms: number): Promise<boolean> {
    return Promise.race([this.exited.then(() => true), elapsed(ms)])
  }

  /** What it was sent and has not answered. It answers none of it any more, and looks at no more of it than it must. */
  forsake(): Operation[] {
    this.#isForsaken = true
    this.hold(false)
    const rest = this.#underWay.flatMap(({ operations, answered }) => operations.slice(answered))
    for (const operation of rest) this.abort(operation)
    return rest
  }

  #receive(message: FromWorker): void {
    if (this.#isDead) return
    switch (message.type) {
      case 'reply':
        return this.#answer(message)
      case 'chunk': {
        const batch = this.#underWay[0]
        if (!batch) return
        const operation = batch.operations[message.index]
        if (!this.#isForsaken) this.#results.chunk(batch, message)
        if (!operation?.sink || operation.isSettled) this.takeChunks(1) // a stream takes its own
        return
      }
      case 'ready':
        return this.#events.ready(message.wal)
      case 'backup':
        return this.#events.backup(message)
      case 'open-failed':
        this.#die(fromFailure(message.failure, undefined))
    }
  }

  #answer(message: ReplyMessage): void {
    const batch = this.#underWay[0]
    if (!batch) return
    if (message.isLast) {
      this.#underWay.shift()
      this.#watch.answered(performance.now() - batch.sentAt)
      if (this.#underWay.length === 0) this.hold(false)
    }
    this.#events.answered(message, batch) // which may send the next batch before callers run
    if (!this.#isForsaken) this.#results.deliver(batch, message)
    if (message.isLast) this.#results.forget(batch.forget)
  }

  #die(cause: unknown): void {
    this.#isDead = true
    if (this.#isOver) return
    this.#isOver = true
    this.#events.died(cause)
  }

  #clearAborts(number: number): void {
    const first = firstWordOf(number)
    for (let word = first; word < first + MAX_OPERATIONS / 32; word++) Atomics.store(this.#memory, word, 0)
  }
}

// the thread starts with the first half too: its first batch turns it from the second
function firstWordOf(number: number): number {
  return Shared.abortedBits + (number % 2) * (MAX_OPERATIONS / 32)
}
