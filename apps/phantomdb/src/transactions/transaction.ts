import { randomUUID } from 'node:crypto'
import { CallError } from '../errors.ts'
import type { Databases } from '../postgres/databases.ts'
import { isPostgresFailure } from '../postgres/failures.ts'
import { Connection } from '../postgres/session.ts'

/** How a transaction is begun. */
export interface TransactionSettings {
  /** Undefined: bound by the first call. */
  readonly database?: string | undefined
  readonly isolationLevel?: string | undefined
  readonly accessMode?: string | undefined
  /** How long it may be idle between two calls. */
  readonly timeoutMs: number
}

/** `unknown`: the connection broke during COMMIT, so that nobody can say. */
type State = 'open' | 'expired' | 'committed' | 'rolled back' | 'unknown'

/**
 * A transaction between calls: a connection of its own, on which calls run one after another in the order in which
 * they came. It never waits for connections once it has one.
 */
export class Transaction {
  readonly id: string = randomUUID()
  readonly #settings: TransactionSettings
  readonly #databases: Databases
  readonly #onEnd: (id: string) => void
  #database: string | undefined
  #connection: Connection | undefined
  #state: State = 'open'
  #pending = 0
  #tail: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #commit: Promise<void> | undefined
  #rollback: Promise<void> | undefined

  constructor(settings: TransactionSettings, databases: Databases, onEnd: (id: string) => void) {
    this.#settings = settings
    this.#databases = databases
    this.#onEnd = onEnd
    this.#database = settings.database
  }

  get database(): string | undefined {
    return this.#database
  }

  /** Sends BEGIN where the database is known; else the first call does. */
  async begin(): Promise<void> {
    const database = this.#database
    await this.#enqueue(async () => {
      if (database !== undefined) await this.#connectionTo(database)
    })
  }

  /**
   * Runs a call's statements when those before it are done.
   * @throws {CallError} `wrong_database`, `transaction_expired`, `transaction_ended`
   */
  run<T>(database: string, task: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#enqueue(async () => {
      this.#assertOpen()
      const connection = await this.#connectionTo(database)
      const result = await task(connection)
      // Statements that end a transaction are refused; this is for whatever gets past that.
      if (!connection.isInTransaction) {
        this.#finish('unknown')
        throw new CallError('transaction_ended', 'The statement ended the transaction')
      }
      return result
    })
  }

  /**
   * Commits; again and again gives the same outcome.
   * @throws {CallError} `transaction_aborted` when a statement had failed, so that all was rolled back
   */
  commit(): Promise<void> {
    this.#commit ??= this.#enqueue(async () => {
      this.#assertOpen()
      const tag = await this.#end('COMMIT').catch((error: unknown) => {
        this.#finish(isPostgresFailure(error) ? 'rolled back' : 'unknown')
        throw error
      })
      this.#finish(tag === 'COMMIT' ? 'committed' : 'rolled back')
      if (tag === 'COMMIT') return
      // PostgreSQL answers ROLLBACK to the COMMIT of an aborted transaction, and calls that a success.
      throw new CallError('transaction_aborted', 'A statement had failed: the transaction was rolled back', {
        sqlstate: '25P02',
      })
    })
    return this.#commit
  }

  /** Rolls back; again, or after it expired, does nothing. @throws {CallError} `transaction_ended` once committed */
  rollback(): Promise<void> {
    this.#rollback ??= this.#enqueue(async () => {
      if (this.#state === 'rolled back' || this.#state === 'expired') return
      this.#assertOpen()
      await this.#abandon('rolled back')
    })
    return this.#rollback
  }

  /** Ends it on the gateway's behalf once the running call is done; calls that wait are refused. */
  async expire(): Promise<void> {
    if (this.#state !== 'open') return
    // Before ROLLBACK is sent, so that no late statement reaches the connection.
    this.#state = 'expired'
    await this.#enqueue(() => this.#abandon('expired'))
  }

  #assertOpen(): void {
    if (this.#state === 'open') return
    if (this.#state === 'expired') {
      throw new CallError('transaction_expired', 'The transaction was idle for too long and was rolled back')
    }
    throw new CallError('transaction_ended', `The transaction has ended: ${this.#state}`)
  }

  async #connectionTo(database: string): Promise<Connection> {
    this.#database ??= database
    if (this.#database !== database) {
      throw new CallError('wrong_database', `The transaction belongs to the database '${this.#database}'`)
    }
    if (this.#connection) return this.#connection
    const connection = new Connection(await this.#databases.lend(database, 'transactions'), this.#databases)
    this.#connection = connection
    const { isolationLevel, accessMode } = this.#settings
    const isolation = isolationLevel ? ` isolation level ${isolationLevel}` : ''
    await connection.control(`begin${isolation}${accessMode ? ` ${accessMode}` : ''}`)
    return connection
  }

  async #end(command: 'COMMIT' | 'ROLLBACK'): Promise<string> {
    return this.#connection ? this.#connection.control(command) : command
  }

  /** A connection that cannot be told is closed, which rolls back too. */
  async #abandon(state: State): Promise<void> {
    await this.#end('ROLLBACK').catch(() => {})
    this.#finish(state)
  }

  #finish(state: State): void {
    this.#state = state
    this.#connection?.release()
    this.#connection = undefined
    this.#onEnd(this.id)
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    this.#pending += 1
    clearTimeout(this.#timer)
    const turn = this.#tail.then(task).finally(() => {
      this.#pending -= 1
      if (this.#pending > 0 || this.#state !== 'open') return
      this.#timer = setTimeout(() => void this.expire(), this.#settings.timeoutMs)
      this.#timer.unref()
    })
    this.#tail = turn.catch(() => {})
    return turn
  }
}
