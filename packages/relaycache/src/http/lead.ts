import { NotStored, type Refusal } from './not-stored.ts'
import type { StoredResponse } from './stored-response.ts'

/** The response that a framework will send, to be stored and shared or refused. Only the first outcome counts. */
export class Lead {
  readonly response: Promise<StoredResponse>
  #resolve: (stored: StoredResponse) => void = () => undefined
  #reject: (refused: NotStored) => void = () => undefined
  readonly #beganAtMs = performance.now()
  #isSettled = false
  #giveUp: NodeJS.Timeout | undefined

  constructor() {
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  deliver(stored: StoredResponse): void {
    this.#settle()
    this.#resolve(stored)
  }

  refuse(refusal: Refusal): void {
    this.#settle()
    this.#reject(new NotStored(refusal))
  }

  /**
   * The client has left. Nobody can tell whether the handler goes on all the same: it has as long again as it has run,
   * so that pages that take longer than their clients wait are cached too.
   */
  abandon(): void {
    if (this.#isSettled) return
    const ranMs = performance.now() - this.#beganAtMs
    this.#giveUp ??= setTimeout(() => this.refuse('abandoned'), ranMs).unref()
  }

  #settle(): void {
    this.#isSettled = true
    clearTimeout(this.#giveUp)
  }
}
