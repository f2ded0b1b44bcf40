/** A PostgreSQL server as the gateway uses it. */
export interface Engine {
  readonly kind: 'embedded' | 'external'
  /** Of any of its databases. */
  readonly url: string
  /** Whether an embedded server ran already. */
  readonly adopted: boolean
  /** Lets go of it, and ends it where the gateway is in charge of it and `stop` is true. */
  release(stop: boolean): Promise<void>
}
