/**
 * Why a response cannot be shared.
 * - `private`: responses of this kind never can; for a while, requests do not wait for one another.
 * - `failed`: this one cannot: the handler failed, or the status is not 200. Each who waited runs the handler itself.
 * - `abandoned`: the client went away. Those who waited try again together.
 * - `varies`: it depends on a header that is not in its key. Those who waited try again with that header.
 */
export type Refusal = 'private' | 'failed' | 'abandoned' | 'varies'

/** Ends a computation that others may have joined. Nobody outside sees it. */
export class NotStored extends Error {
  override readonly name = 'NotStored' as const
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super('This response is not shared')
    this.refusal = refusal
  }
}
