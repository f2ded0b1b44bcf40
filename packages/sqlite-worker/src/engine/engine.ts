import { resolve } from 'node:path'
import { AbortedError, ClosedError } from '../errors.ts'
import { nextTurn } from '../event-loop.ts'
import { Hooks } from '../hooks.ts'
import type { Consistency, ResolvedSqliteWorkerOptions } from '../options.ts'
import { Control, type ReplyMessage } from '../protocol.ts'
import { fail, fulfil, Token } from '../token.ts'
import { channels } from './diagnostics.ts'
import { elapsed } from './elapsed.ts'
import { hookEventsOf } from './hook-events.ts'
import { KeepAlive } from './keep-alive.ts'
import type { BeginControl, Lane } from './lane.ts'
import { Meter } from './meter.ts'
import { onAbort } from './on-abort.ts'
import { Operation, type BatchStep, type Line, type OperationInit, type Settle } from './operation.ts'
import { QueueLimits } from './queue-limits.ts'
import type { ReaderLease } from './reader-leases.ts'
import { Readers } from './readers.ts'
import { Respawn } from './respawn.ts'
import { pins, routeOf } from './routing.ts'
import { sizeOfFile, threadStats, type WorkerStats } from './stats.ts'
import { Thread, type Batch, type ThreadEvents } from './thread.ts'
import { Writer } from './writer.ts'

export interface SubmitOptions {
  readonly signal?: AbortSignal | undefined
  readonly consistency?: Consistency | undefined
}

/** Brings every operation to a thread that may run it, and its outcome to whoever waits for it. */
export class Engine implements Settle {
  readonly file: string
  readonly options: ResolvedSqliteWorkerOptions
  readonly hooks: Hooks
  readonly limits: QueueLimits
  readonly readers: Readers
  readonly #writer: Writer
  readonly #writerMeter = new Meter()
  readonly #readerMeter = new Meter()
  readonly #writerRespawn: Respawn
  readonly #readerRespawn: Respawn
  readonly #keepAlive = new KeepAlive()
  readonly #modules = new Set<string>()
  /** Whether only the writer's connection sees all of the database. */
  #isPinned: boolean
  /** Operations of the root lane that were queued, and that are done: they end in order. */
  #rootQueued = 0
  #rootDone = 0
  /** The transaction that was told to commit last, until it has, or something stands in line behind it. */
  ending: Lane | undefined
  #closing: Promise<void> | undefined

  constructor(file: string, options: ResolvedSqliteWorkerOptions) {
    const name = file.trim() // as better-sqlite3 does
    const isTemporary = name === '' || name === ':memory:'
    this.file = isTemporary ? name : resolve(name) // once, or a thread that starts later finds another file
    this.options = options
    this.hooks = new Hooks(options.onUnobservedError)
    this.limits = new QueueLimits(options, this.#keepAlive, (operation, error) =>
      this.#giveUp(operation, error),
    )
    this.#isPinned = isTemporary || options.executeInit.some(pins)
    this.#writerRespawn = new Respawn(options)
    this.#readerRespawn = new Respawn(options)
    this.readers = new Readers({
      ...this.#partsOf('reader', this.#readerMeter, this.#readerRespawn),
      limit: options.readers,
      maxStreams: options.maxStreams,
    })
    this.#writer = new Writer({
      ...this.#partsOf('writer', this.#writerMeter, this.#writerRespawn),
      isTemporary,
      ready: (wal) => this.#ready(wal),
      failed: (cause) => this.readers.fail(cause),
    })
  }

  /** The line of everything outside of transactions. */
  get root(): Lane {
    return this.#writer.root
  }

  /** Whether other connections than the writer's may read the database. */
  get mayLease(): boolean {
    return !this.#isPinned
  }

  /** Whether a statement can be read on a connection of its own. */
  mayStream(sql: string): boolean {
    return !this.#isPinned && routeOf(sql) === 'read'
  }

  /** A connection that reads and that the caller has to itself, once it sees what it must. */
  async lease(consistency: Consistency = this.options.consistency): Promise<ReaderLease> {
    const refusal = this.#refusal(this.root)
    if (refusal) throw refusal
    this.#keepAlive.hold()
    try {
      return await this.readers.lease(this.#mustSee(consistency))
    } finally {
      this.#keepAlive.release()
    }
  }

  /** Queues an operation in a lane, or for a reader. */
  submit<T>(lane: Lane, init: OperationInit, { signal, consistency }: SubmitOptions = {}): Token<T> {
    const refusal =
      this.#refusal(lane) ?? (signal?.aborted ? new AbortedError(false, signal.reason) : undefined)
    if (refusal) return this.refuse(refusal, lane)
    const token = this.#token<T>(lane)
    const reads = consistency ?? this.options.consistency
    const isRead = lane === this.root && reads !== 'writer' && this.#mayReadElsewhere(init)
    const operation = new Operation(init, token, isRead ? undefined : lane, performance.now())
    this.limits.add(operation, lane === this.root)
    if (signal) this.#watch(operation, signal)
    if (isRead) this.readers.submit(operation, this.#mustSee(reads))
    else this.#queue(operation, lane)
    return token
  }

  /** A token that has failed already, in a lane where there is one. */
  refuse<T>(error: unknown, lane: Lane = this.root): Token<T> {
    const token = this.#token<T>(lane)
    fail(token, error)
    lane.note(token)
    return token
  }

  /** Queues a transaction in a lane. @throws {ClosedError | WorkerDiedError} */
  open(parent: Lane, begin: BeginControl): Lane {
    const refusal = this.#refusal(parent)
    if (refusal) throw refusal
    const lane = parent.open(begin)
    this.schedule()
    return lane
  }

  schedule(): void {
    this.#writer.schedule()
  }

  /** Makes a module's functions known to the writer, also after a restart. */
  load(file: string): void {
    if (this.#modules.has(file)) return
    this.#modules.add(file)
    this.#writer.load(file)
  }

  /** Copies the database through the writer, which the caller has to itself. */
  async backUp(...args: Parameters<Writer['backUp']>): Promise<void> {
    this.#keepAlive.hold()
    try {
      await this.#writer.backUp(...args)
    } finally {
      this.#keepAlive.release()
    }
  }

  /** Ends a thread where it stands, to see what happens then. */
  async kill(which: 'writer' | 'reader'): Promise<void> {
    if (which === 'writer') await this.#writer.kill()
    else await this.readers.kill()
  }

  close(options: { drain: boolean; timeoutMs: number }): Promise<void> {
    this.#closing ??= this.#close(options)
    return this.#closing
  }

  async #close({ drain, timeoutMs }: { drain: boolean; timeoutMs: number }): Promise<void> {
    const reject = () => {
      this.root.abort(new ClosedError())
      for (const operation of this.readers.takeBack()) this.failed(operation, new ClosedError())
      this.readers.endLeases(new ClosedError())
    }
    if (!drain) reject()
    this.#keepAlive.hold()
    const idle = Promise.all([this.#writer.idle(), this.readers.idle()])
    const isIdle = await Promise.race([idle.then(() => true), elapsed(timeoutMs)])
    if (!isIdle) reject()
    const readersClosed = this.readers.close(!isIdle)
    if (isIdle) await readersClosed // the last connection empties the log, which one that only reads cannot
    await Promise.all([this.#writer.close(!isIdle), readersClosed])
    await nextTurn() // errors that nobody awaited are reported by now
    this.#keepAlive.end()
  }

  stats(): WorkerStats {
    const { size, bytes } = this.limits
    const writer = threadStats(this.#writerMeter, this.#writerRespawn, this.#writer.underWay)
    const readers = threadStats(this.#readerMeter, this.#readerRespawn, this.readers.underWay)
    return {
      queueSize: size,
      queueBytes: bytes,
      writer: { ...writer, groupSize: this.#writerMeter.groupSize.summary() },
      readers: { ...readers, threads: this.readers.count },
      streams: this.readers.leased,
      fileBytes: sizeOfFile(this.file),
      walBytes: sizeOfFile(`${this.file}-wal`),
    }
  }

  /** For threads only: an operation succeeded. */
  fulfilled(operation: Operation, value: unknown): void {
    const { lane } = operation
    if (operation.isCall) this.#count(operation, 'operations')
    if (!operation.isSettled) {
      operation.isSettled = true
      operation.release?.()
      fulfil(operation.token, value)
      if (!this.hooks.isEmpty) this.#announce(operation, value)
    }
    if (lane) this.#leave(lane)
  }

  /** For threads only: an operation failed. */
  failed(operation: Operation, error: Error): void {
    const { lane, token } = operation
    if (operation.isCall) this.#count(operation, 'failures')
    if (!operation.isSettled) {
      operation.isSettled = true
      operation.release?.()
      fail(token, error)
      lane?.note(token)
    }
    if (lane) this.#leave(lane)
  }

  #count(operation: Operation, what: 'operations' | 'failures'): void {
    this.limits.done(operation)
    const meter = operation.lane ? this.#writerMeter : this.#readerMeter
    meter[what] += 1
  }

  #leave(lane: Line): void {
    lane.settled()
    if (lane !== this.root) return
    this.#rootDone += 1
    this.readers.writesDone(this.#rootDone)
  }

  #queue(operation: Operation, lane: Lane): void {
    if (pinsReads(operation)) this.#isPinned = true
    if (lane === this.root) {
      this.#rootQueued += 1
      this.ending = undefined
    }
    lane.push(operation)
    this.#writer.schedule()
  }

  /** How many operations of the root lane must be done before a read; one is put behind a transaction that commits. */
  #mustSee(consistency: Consistency): number {
    if (consistency === 'eager') return 0
    if (this.ending) {
      const token = new Token<unknown>(() => {})
      this.#queue(new Operation({ what: Control.nothing }, token, this.root, 0), this.root)
    }
    return this.#rootQueued
  }

  #mayReadElsewhere({ what }: OperationInit): boolean {
    return !this.#isPinned && this.options.readers > 0 && typeof what === 'string' && routeOf(what) === 'read'
  }

  /** A transaction rejects with the errors that nobody awaited, so they are not reported as well. */
  #token<T>(lane: Lane): Token<T> {
    return new Token<T>(lane === this.root ? this.options.onUnobservedError : () => {})
  }

  /** Why a lane takes nothing more, if so. Only what begins outside of a transaction waits in the queue. */
  #refusal(lane: Lane): Error | undefined {
    if (this.#writer.death) return this.#writer.death
    if (lane !== this.root) return undefined
    return this.#closing ? new ClosedError() : this.limits.refusal()
  }

  #watch(operation: Operation, signal: AbortSignal): void {
    operation.release = onAbort(signal, () => {
      const maybeCommitted = operation.isSent && operation.lane !== undefined
      this.#giveUp(operation, new AbortedError(maybeCommitted, signal.reason))
    })
  }

  /** Rejects an operation now; what is under way ends as it will, and what is not is never run. */
  #giveUp(operation: Operation, error: Error): void {
    if (operation.isSettled) return
    operation.isSettled = true
    operation.release?.()
    operation.rows = undefined
    fail(operation.token, error)
    operation.lane?.note(operation.token)
    if (!operation.isSent) return
    if (operation.lane) this.#writer.abort(operation)
    else this.readers.abort(operation)
  }

  /** Tells the hooks of a statement once it is committed: now, or with its transaction. */
  #announce(operation: Operation, result: unknown): void {
    const events = hookEventsOf(operation, result)
    if (events.length === 0) return
    const { lane } = operation
    if (lane && lane !== this.root) lane.events.push(...events)
    else this.hooks.fire(events)
  }

  #partsOf(connection: 'writer' | 'reader', meter: Meter, respawn: Respawn) {
    const { file } = this
    return {
      settle: this,
      meter,
      respawn,
      start: (events: ThreadEvents) => this.#start(connection, events),
      isTimed: () => channels.operation.hasSubscribers,
      answered: (reply: ReplyMessage, batch: Batch) => {
        for (const size of reply.groups) meter.groupSize.add(size)
        if (reply.times.length > 0) this.#tellTimes(connection, reply.times, batch)
      },
      restarting: (cause: unknown, delayMs: number) => {
        channels.restart.publish({ file, connection, cause, delayMs })
      },
    }
  }

  #start(connection: 'writer' | 'reader', events: ThreadEvents): Thread {
    const { synchronous, busyTimeoutMs, maxCount, executeInit, workerUrl, int64, slowQueryMs } = this.options
    const readonly = connection === 'reader'
    const common = { file: this.file, synchronous, busyTimeoutMs, maxCount, executeInit, workerUrl, int64 }
    const thread = new Thread({ ...common, readonly, slowMs: slowQueryMs }, events)
    if (!readonly) for (const file of this.#modules) thread.post({ type: 'load', file })
    return thread
  }

  #ready(wal: boolean): void {
    if (!wal) {
      this.#isPinned = true
      for (const operation of this.readers.takeBack()) {
        operation.lane = this.root
        this.#queue(operation, this.root)
      }
    }
    this.readers.enable()
  }

  #tellTimes(connection: 'writer' | 'reader', times: readonly number[], { operations }: Batch): void {
    const { slowQueryMs, onSlowQuery } = this.options
    for (let i = 0; i < times.length; i += 2) {
      const sql = operations[times[i] as number]?.sql
      const durationMs = times[i + 1] as number
      const message = { file: this.file, connection, sql, durationMs }
      if (channels.operation.hasSubscribers) channels.operation.publish(message)
      if (durationMs >= slowQueryMs) queueMicrotask(() => onSlowQuery(message))
    }
  }
}

/** Whether only the writer's connection sees all of the database after it. */
function pinsReads({ what, payload }: Operation): boolean {
  if (typeof what === 'string') return routeOf(what) === 'pin'
  if (what === Control.batch) return (payload as BatchStep[]).some(({ sql }) => routeOf(sql) === 'pin')
  return what === Control.script && pins(String(payload))
}
