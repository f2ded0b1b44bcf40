import { NotStored, type Refusal } from './not-stored.ts'
import type { StoredResponse } from './stored-response.ts'

/** The response that a framework will send, to be stored and shared or refused. Only the first outcome counts. */
export class Lead {
  readonly response: Promise<StoredResponse>
  #resolve: (stored: StoredResponse) => void = () => undefined
  #reject: (refused: NotStored) => void = () => undefined

  constructor() {
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  deliver(stored: StoredResponse): void {
    this.#resolve(stored)
  }

  refuse(refusal: Refusal): void {
    this.#reject(new NotStored(refusal))
  }
}
