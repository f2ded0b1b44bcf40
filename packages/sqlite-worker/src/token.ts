import { onNextTurn } from './event-loop.ts'

/** Called with an error that nobody awaited within one macrotask of its arrival. */
export type UnobservedErrorHandler = (error: unknown) => void

/** Completes a token; for the engine only. */
export let fulfil: <T>(token: Token<T>, value: T) => void
/** Fails a token; for the engine only. */
export let fail: (token: Token<unknown>, error: unknown) => void
/** Whether a token failed and nobody looked; marks it as looked at. For the engine only. */
export let takeUnobservedError: (token: Token<unknown>) => { error: unknown } | undefined

// methods, so that a Token<T> is a Token<unknown>
interface Resolvers<T> {
  resolve(value: T): void
  reject(error: unknown): void
}

type Settled<T> = { readonly value: T } | { readonly error: unknown }

/**
 * The outcome of one queued operation: await it, hand it to `fetchResults`, or drop it.
 *
 * A token that is dropped holds nothing. If its operation fails and nobody has awaited it one macrotask later, the
 * error goes to `onUnobservedError` once; awaiting it later still rejects.
 */
export class Token<T> implements PromiseLike<T> {
  #settled: Settled<T> | undefined
  #promise: Promise<T> | undefined
  #resolvers: Resolvers<T> | undefined
  readonly #onUnobserved: UnobservedErrorHandler

  static {
    fulfil = (token, value) => {
      token.#settled = { value }
      token.#resolvers?.resolve(value)
    }
    fail = (token, error) => {
      token.#settled = { error }
      token.#resolvers?.reject(error)
      if (!token.#promise) onNextTurn(() => token.#reportUnobserved())
    }
    takeUnobservedError = (token) => {
      const settled = token.#settled
      if (token.#promise || !settled || !('error' in settled)) return undefined
      token.#observe().catch(() => {})
      return settled
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
    this.#promise ??= new Promise((resolve, reject) => {
      const settled = this.#settled
      if (!settled) this.#resolvers = { resolve, reject }
      else if ('error' in settled) reject(settled.error)
      else resolve(settled.value)
    })
    return this.#promise
  }

  #reportUnobserved(): void {
    if (!this.#promise && this.#settled && 'error' in this.#settled) this.#onUnobserved(this.#settled.error)
  }
}
