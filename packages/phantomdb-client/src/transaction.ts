import { ConnectionError } from './errors.ts'
import { Queryable } from './queryable.ts'
import type { Call, Transport } from './transport.ts'

/** How a transaction begins. */
export interface BeginOptions {
  /** @default PostgreSQL's, which is 'read committed' */
  isolationLevel?: 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | undefined
  /** @default 'read write' */
  accessMode?: 'read write' | 'read only' | undefined
  /** How long it may be idle between calls, in milliseconds, before it is rolled back. @default the server's: 30_000 */
  timeoutMs?: number | undefined
}

/** How a transaction begins, and how often it is tried. */
export interface TransactionOptions extends BeginOptions {
  /**
   * How often the callback is run again when another transaction came first (40001) or both waited for each other
   * (40P01), after a random pause. 0: never. @default 3
   */
  retries?: number | undefined
}

/** A transaction on the server. Its calls run one after another, in the order in which they were made. */
export class Transaction extends Queryable implements AsyncDisposable {
  /** What the server knows it by. */
  readonly id: string
  readonly #transport: Transport
  readonly #databasePath: string
  #hasEnded = false

  /** Made by `beginTransaction()`. */
  constructor(id: string, transport: Transport, databasePath: string) {
    super()
    this.id = id
    this.#transport = transport
    this.#databasePath = databasePath
  }

  /**
   * Makes its changes permanent. When the reply is lost, it asks once more.
   * @throws {InternalError} 25P02 when one of its statements had failed, so that all was rolled back
   * @throws {TransactionExpiredError}
   */
  async commit(): Promise<void> {
    this.#hasEnded = true
    const commit = () => this.#end('commit')
    await commit().catch(async (error: unknown) => {
      if (!(error instanceof ConnectionError)) throw error
      await commit()
    })
  }

  /** Undoes its changes. Does nothing when they are undone already. */
  async rollback(): Promise<void> {
    this.#hasEnded = true
    await this.#end('rollback')
  }

  /** Rolls back what was neither committed nor rolled back. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) await this.rollback()
  }

  protected override async send(call: Call): Promise<unknown> {
    return await this.#transport.send({
      ...call,
      path: this.#databasePath + call.path,
      transactionId: this.id,
    })
  }

  async #end(how: 'commit' | 'rollback'): Promise<void> {
    await this.#transport.send({ method: 'POST', path: `/transactions/${this.id}/${how}` })
  }
}
