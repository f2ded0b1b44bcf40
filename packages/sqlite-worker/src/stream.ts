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
  readonly #chunks = new Fifo<{ rows: unknown[]; isAhead: boolean }>()
  #idleTimer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined
  #isComplete = false
  #isClosed = false
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
    this.#chunks.push({ rows, isAhead })
    this.#wake?.()
  }

  /** The next chunk, or undefined after the last. @throws why there is none. */
  async next(): Promise<unknown[] | undefined> {
    clearTimeout(this.#idleTimer)
    while (this.#chunks.size === 0 && !this.#isComplete && this.#error === undefined)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    this.throwIfFailed()
    const chunk = this.#chunks.shift()
    if (!chunk) return undefined
    if (chunk.isAhead) this.#lease.thread.takeChunks(1)
    if (this.#idleMs !== Infinity)
      this.#idleTimer = setTimeout(() => this.fail(tooIdle(this.#idleMs)), this.#idleMs).unref()
    return chunk.rows
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

  /** Gives the connection back; a statement that still runs is stopped between two rows. */
  close(): void {
    clearTimeout(this.#idleTimer)
    if (this.#isClosed) return // its connection may be another's by now
    this.#isClosed = true
    const { thread } = this.#lease
    thread.takeChunks(this.#chunks.drain().filter(({ isAhead }) => isAhead).length)
    if (!this.#operation.isSettled) {
      this.#operation.isSettled = true
      thread.abort(this.#operation)
    }
    this.#lease.release()
  }

  #complete(): void {
    this.#isComplete = true
    this.#wake?.()
  }
}

function tooIdle(ms: number): Error {
  return new StreamError(
    `The stream was ended: its consumer took no rows for ${ms} ms, and an open stream keeps the write-ahead log from shrinking`,
  )
}
