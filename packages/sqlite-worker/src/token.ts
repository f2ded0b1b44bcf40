import { onNextTurn } from './event-loop.ts'

/** Called with an error that nobody awaited within one macrotask of its arrival. */
export type UnobservedErrorHandler = (error: unknown) => void

/** Completes a token; for the engine only. */
export let fulfil: <T>(token: Token<T>, value: T) => void
/** Fails a token; for the engine only. */
export let fail: (token: Token<unknown>, error: unknown) => void
/** Whether a token failed and nobody looked; marks it as looked at. For the engine only. */
export let takeUnobservedError: (token: Token<unknown>) => { error: unknown } | undefined

type Settle = (outcome: never) => void

/** What the promise that is being made can be settled with. */
let resolveLatest: Settle
let rejectLatest: Settle
const takeResolvers = (resolve: Settle, reject: Settle): void => {
  resolveLatest = resolve
  rejectLatest = reject
}

/**
 * The outcome of one queued operation: await it, hand it to `fetchResults`, or drop it.
 *
 * A token that is dropped holds nothing. If its operation fails and nobody has awaited it one macrotask later, the
 * error goes to `onUnobservedError` once; awaiting it later still rejects.
 */
export class Token<T> implements PromiseLike<T> {
  #state: 'pending' | 'fulfilled' | 'failed' = 'pending'
  /** Its value, or its error. */
  #outcome: unknown
  #promise: Promise<T> | undefined
  #resolve: Settle | undefined
  #reject: Settle | undefined
  readonly #onUnobserved: UnobservedErrorHandler

  static {
    fulfil = (token, value) => {
      token.#state = 'fulfilled'
      token.#outcome = value
      token.#resolve?.(value as never)
    }
    fail = (token, error) => {
      token.#state = 'failed'
      token.#outcome = error
      token.#reject?.(error as never)
      if (!token.#promise) onNextTurn(() => token.#reportUnobserved())
    }
    takeUnobservedError = (token) => {
      if (token.#promise || token.#state !== 'failed') return undefined
      token.#observe().catch(() => {})
      return { error: token.#outcome }
    }
  }

  constructor(onUnobserved: UnobservedErrorHandler) {
    this.#onUnobserved = onUnobserved
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a token is awaitable by design
  then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    onRejected?: ((error: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return this.#observe().then(onFulfilled, onRejected)
  }

  catch<E = never>(onRejected?: ((error: unknown) => E | PromiseLike<E>) | null): Promise<T | E> {
    return this.#observe().catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.#observe().finally(onFinally)
  }

  #observe(): Promise<T> {
    if (this.#promise) return this.#promise
    if (this.#state === 'fulfilled') this.#promise = Promise.resolve(this.#outcome as T)
    else if (this.#state === 'failed') this.#promise = Promise.reject(this.#outcome)
    else {
      this.#promise = new Promise<T>(takeResolvers)
      this.#resolve = resolveLatest
      this.#reject = rejectLatest
    }
    return this.#promise
  }

  #reportUnobserved(): void {
    if (!this.#promise && this.#state === 'failed') this.#onUnobserved(this.#outcome)
  }
}
