import type { Engine, SubmitOptions } from './engine/engine.ts'
import { Fifo } from './engine/fifo.ts'
import { onAbort } from './engine/on-abort.ts'
import { Operation, type OperationInit, type RowSink } from './engine/operation.ts'
import type { ReaderLease } from './engine/reader-leases.ts'
import { AbortedError, OpenError, StreamError, WorkerDiedError } from './errors.ts'
import { Token } from './token.ts'

/**
 * The rows of a statement, read on a connection of its own while the consumer takes them: a few chunks are read ahead,
 * no more. The rows are of one moment, when the first was asked for.
 */
export async function* streamRows<TRow>(
  engine: Engine,
  init: OperationInit,
  { signal, consistency }: SubmitOptions,
): AsyncGenerator<TRow, void, void> {
  if (signal?.aborted) throw new AbortedError(false, signal.reason)
  const lease = await leaseUnlessAborted(engine.lease(consistency), signal)
  const source = new RowSource(lease, init, engine.options.maxStreamIdleMs)
  const abort = () => source.fail(new AbortedError(false, signal?.reason))
  const ignoreSignal = signal && onAbort(signal, abort)
  if (signal?.aborted) abort()
  try {
    for (let rows = await source.next(); rows; rows = await source.next()) {
      for (const row of rows) {
        source.startIdling()
        yield row as TRow
        source.throwIfFailed()
      }
    }
  } finally {
    ignoreSignal?.()
    source.close()
  }
}

/** A connection, unless the signal fires first: then it goes back when it comes. */
async function leaseUnlessAborted(
  waiting: Promise<ReaderLease>,
  signal: AbortSignal | undefined,
): Promise<ReaderLease> {
  if (!signal) return waiting
  let ignoreSignal = () => {}
  const aborted = new Promise<never>((_, reject) => {
    ignoreSignal = onAbort(signal, () => reject(new AbortedError(false, signal.reason)))
  })
  try {
    return await Promise.race([waiting, aborted])
  } catch (error) {
    waiting.then((lease) => lease.release()).catch(() => {})
    throw error
  } finally {
    ignoreSignal()
  }
}

/** Takes the chunks of one operation, in order, and asks for more as they are consumed. */
class RowSource implements RowSink {
  readonly #lease: ReaderLease
  readonly #operation: Operation
  readonly #idleMs: number
  readonly #chunks = new Fifo<unknown[]>()
  /** Chunks that came ahead of the outcome, and that the thread does not know to be taken. */
  #chunksAhead = 0
  #idleTimer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined
  #isComplete = false
  #isReleased = false
  #error: unknown

  constructor(lease: ReaderLease, init: OperationInit, idleMs: number) {
    this.#lease = lease
    this.#idleMs = idleMs
    const token = new Token<unknown>(() => {})
    this.#operation = new Operation(init, token, undefined, 0)
    this.#operation.sink = this
    token.then(
      () => this.#complete(),
      (error: unknown) => this.fail(error),
    )
    lease.onDied = (cause) =>
      this.fail(cause instanceof OpenError ? cause : new WorkerDiedError(false, cause))
    lease.onClosing = (error) => this.fail(error)
    lease.thread.send([this.#operation], { leased: false, streamed: true, timed: false })
  }

  rows(rows: unknown[], isAhead: boolean): void {
    this.#chunks.push(rows)
    if (isAhead) this.#chunksAhead += 1
    this.#wake?.()
  }

  /** The next chunk, or undefined after the last. @throws why there is none. */
  async next(): Promise<unknown[] | undefined> {
    this.#stopIdling()
    while (this.#chunks.size === 0 && !this.#isComplete && this.#error === undefined)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    this.throwIfFailed()
    const rows = this.#chunks.shift()
    if (this.#chunksAhead > 0) this.#takeChunks(1)
    return rows
  }

  /** Says that the consumer has a row, and from now on takes nothing until it asks for the next. */
  startIdling(): void {
    if (this.#idleMs === Infinity || this.#isReleased) return
    if (this.#idleTimer) this.#idleTimer.refresh()
    else this.#idleTimer = setTimeout(() => this.fail(tooIdle(this.#idleMs)), this.#idleMs).unref()
  }

  throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** Ends the stream with an error, which the consumer gets when it asks for the next row. */
  fail(error: unknown): void {
    this.#error ??= error
    this.close()
    this.#wake?.()
  }

  /** Drops what is not taken; a statement that still runs is stopped between two rows. */
  close(): void {
    this.#chunks.drain()
    if (this.#isReleased) return
    if (!this.#operation.isSettled) {
      this.#operation.isSettled = true
      this.#lease.thread.abort(this.#operation)
    }
    this.#release()
  }

  #complete(): void {
    this.#isComplete = true
    this.#release()
    this.#wake?.()
  }

  /** Gives the connection back; from now on it may be another's. */
  #release(): void {
    this.#isReleased = true
    this.#stopIdling()
    this.#takeChunks(this.#chunksAhead)
    this.#lease.release()
  }

  #takeChunks(count: number): void {
    this.#chunksAhead -= count
    this.#lease.thread.takeChunks(count)
  }

  #stopIdling(): void {
    clearTimeout(this.#idleTimer)
    this.#idleTimer = undefined
  }
}

function tooIdle(ms: number): Error {
  return new StreamError(
    `The stream was ended: its consumer took no rows for ${ms} ms, and an open stream keeps the write-ahead log from shrinking`,
  )
}
