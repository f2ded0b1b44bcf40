import { Control } from '../protocol.ts'
import { nextTurn } from '../event-loop.ts'
import type { HookEvent } from '../hooks.ts'
import { takeUnobservedError, Token } from '../token.ts'
import { Fifo } from './fifo.ts'
import { Operation, type Line, type Settle } from './operation.ts'

export type BeginControl =
  | typeof Control.beginDeferred
  | typeof Control.beginImmediate
  | typeof Control.beginExclusive
  | typeof Control.savepoint

/**
 * A line of operations that wait for the writer, in order. A transaction is a lane that stands in the line of
 * another: once at its head, it holds the writer until it ends. Nested transactions are lanes of lanes.
 */
export class Lane implements Line {
  readonly parent: Lane | undefined
  readonly depth: number
  readonly #settle: Settle
  readonly #begin: BeginControl | undefined
  readonly #entries = new Fifo<Operation | Lane>()
  readonly #failed: Token<unknown>[] = []
  readonly #granted: PromiseWithResolvers
  readonly #held: PromiseWithResolvers
  readonly #aborted: PromiseWithResolvers
  isGranted = false
  /** Whether something of it was sent, so that a thread that dies takes it along. */
  isSent = false
  /** What hooks are told of once it is committed. */
  readonly events: HookEvent[] = []
  #pending = 0
  #whenQuiet: (() => void) | undefined
  #begun = false
  #ended = false
  /** Why it was aborted, if it was. */
  abortReason: Error | undefined

  constructor(settle: Settle, parent?: Lane, begin?: BeginControl) {
    this.#settle = settle
    this.parent = parent
    this.depth = parent ? parent.depth + 1 : 0
    this.#begin = begin
    this.#granted = withResolvers()
    this.#held = withResolvers()
    this.#aborted = withResolvers()
  }

  /** Resolves once it is this lane's turn to send; rejects when it never will be. */
  get granted(): Promise<void> {
    return this.#granted.promise
  }

  /** Resolves once nothing that was sent before its turn is under way any more, so that it has the writer to itself. */
  get held(): Promise<void> {
    return this.#held.promise
  }

  /** Rejects when the lane is aborted; never resolves. */
  get aborted(): Promise<never> {
    return this.#aborted.promise as Promise<never>
  }

  /** Says that the lane stands at the head of its parent. */
  grant(): void {
    this.#granted.resolve()
    this.isGranted = true
  }

  /** Says that it has the writer to itself. */
  hold(): void {
    this.#held.resolve()
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Whether nothing of this lane is left to send and nothing more will come. */
  get isOver(): boolean {
    return this.#ended && this.#entries.size === 0
  }

  /** Whether nothing of it waits or is under way. */
  get isQuiet(): boolean {
    return this.#pending === 0
  }

  /** Whether something stands in line behind the transaction at its head. */
  get isWaiting(): boolean {
    return this.#entries.size > 1
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  peek(): Operation | Lane | undefined {
    return this.#entries.peek()
  }

  shift(): void {
    this.#entries.shift()
  }

  /** Queues an operation; the first of a transaction brings its BEGIN along. */
  push(operation: Operation): void {
    this.#beginInto(this)
    this.#pending += 1
    this.#entries.push(operation)
  }

  /** Opens a transaction in this lane; it waits for its turn like an operation. */
  open(begin: BeginControl): Lane {
    const lane = new Lane(this.#settle, this, begin)
    this.#pending += 1
    this.#entries.push(lane)
    return lane
  }

  /** To be called for each operation and each opened lane when its outcome is known. */
  settled(): void {
    this.#pending -= 1
    if (this.#pending === 0) this.#whenQuiet?.()
  }

  /** Keeps a failure for the end of the transaction. The outermost lane never ends, so it keeps nothing. */
  note(failedToken: Token<unknown>): void {
    if (this.parent) this.#failed.push(failedToken)
  }

  /** Resolves when no operation of this lane is under way, nor one that followed from those. */
  async quiet(): Promise<void> {
    while (this.#pending > 0) {
      await new Promise<void>((resolve) => (this.#whenQuiet = resolve))
      await nextTurn()
    }
  }

  /** An error of an operation that nobody awaited, if there is one. */
  takeUnobservedError(): { error: unknown } | undefined {
    for (const token of this.#failed) {
      const unobserved = takeUnobservedError(token)
      if (unobserved) return unobserved
    }
    return undefined
  }

  /**
   * Ends the transaction. Returns the step that tells SQLite so, queued already, or undefined where there is nothing
   * to tell: it never began, or ended before.
   */
  end(how: 'commit' | 'rollback'): Token<unknown> | undefined {
    if (this.#ended) return undefined
    const token = this.#begun ? this.#control(endOf(this.#begin, how), this) : undefined
    this.#ended = true
    this.parent?.settled()
    return token
  }

  /**
   * Rejects all that waits in this lane, its end included, and rolls it back unless it has ended. Its operations under
   * way finish as they will.
   */
  abort(error: Error): void {
    for (const entry of this.#entries.drain()) {
      if (entry instanceof Lane) entry.abort(error)
      else this.#settle.failed(entry, error)
    }
    if (!this.parent || this.#ended) return // the outermost lane goes on
    this.#unbegin()
    this.end('rollback')
    this.abortReason = error
    this.#granted.reject(error)
    this.#aborted.reject(error)
  }

  #control(control: Control, lane: Lane): Token<unknown> {
    const token = new Token<unknown>(() => {}) // its error reaches the caller through the operations that follow
    lane.#pending += 1
    lane.#entries.push(new Operation({ what: control, payload: this.depth }, token, lane, 0))
    return token
  }

  /** Queues BEGIN or SAVEPOINT of this lane, after those of the lanes around it, as operations of `lane`. */
  #beginInto(lane: Lane): void {
    if (this.#begun || this.#begin === undefined) return
    if (this.parent) this.parent.#beginInto(lane)
    this.#begun = true
    this.#control(this.#begin, lane)
  }

  /** Forgets a BEGIN that was dropped before it was sent, and those of the lanes around it, which were to go with it. */
  #unbegin(): void {
    if (!this.#begun || this.isSent) return
    this.#begun = false
    if (this.parent) this.parent.#unbegin()
  }
}

function endOf(begin: BeginControl | undefined, how: 'commit' | 'rollback'): Control {
  if (begin === Control.savepoint) return how === 'commit' ? Control.release : Control.rollbackTo
  return how === 'commit' ? Control.commit : Control.rollback
}

interface PromiseWithResolvers {
  promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

/** A promise to be settled from outside, whose rejection may go unseen. */
function withResolvers(): PromiseWithResolvers {
  const settle = {} as PromiseWithResolvers
  settle.promise = new Promise<void>((resolve, reject) => Object.assign(settle, { resolve, reject }))
  settle.promise.catch(() => {})
  return settle
}
