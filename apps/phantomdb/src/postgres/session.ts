import type { PoolClient } from 'pg'
import { CallError } from '../errors.ts'
import type { Databases } from './databases.ts'
import { runStatement, type Statement, type StatementResult } from './statement.ts'

/** A connection for the duration of one call. Its statements run one after another. */
export interface Session {
  run(statement: Statement): Promise<StatementResult>
}

// Anything else may leave something behind in the connection: SET, LISTEN, temporary tables.
const leaveNothing = new Set([
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'MERGE',
  'SAVEPOINT',
  'RELEASE',
  'ROLLBACK',
])

/** The statements of a lent connection, and whether it can be lent again. */
export class Connection {
  readonly #client: PoolClient
  readonly #databases: Databases
  #isClean = true

  constructor(client: PoolClient, databases: Databases) {
    this.#client = client
    this.#databases = databases
  }

  /** Whether a transaction is open, as PostgreSQL says. */
  get isInTransaction(): boolean {
    return this.#client.getTransactionStatus() !== 'I'
  }

  /** Runs what the gateway itself says: BEGIN, COMMIT, ROLLBACK. Gives the command tag. */
  async control(sql: string): Promise<string> {
    return (await this.#client.query(sql)).command
  }

  /** Runs a task of statements; when the signal aborts, the running one is cancelled and no other begins. */
  async use<T>(signal: AbortSignal, task: (session: Session) => Promise<T>): Promise<T> {
    let cancelling: Promise<void> | undefined
    const cancel = () => {
      cancelling = this.#databases.cancel(this.#client).catch(() => {})
    }
    signal.addEventListener('abort', cancel, { once: true })
    try {
      return await task({ run: (statement) => this.#run(statement, signal) })
    } finally {
      signal.removeEventListener('abort', cancel)
      // A cancellation that arrives late must not hit the next statement of this connection.
      await cancelling
    }
  }

  /** Gives the connection back: to be lent again, or closed where something could be left in it. */
  release(): void {
    this.#client.release(!this.#isClean || this.isInTransaction)
  }

  async #run(statement: Statement, signal: AbortSignal): Promise<StatementResult> {
    if (signal.aborted) throw new CallError('cancelled', 'The caller is gone')
    const result = await runStatement(this.#client, statement)
    this.#isClean &&= leaveNothing.has(result.command)
    return result
  }
}

/** Lends a connection for one call outside of transactions. */
export async function withConnection<T>(
  databases: Databases,
  database: string,
  task: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = new Connection(await databases.lend(database, 'calls'), databases)
  try {
    const result = await task(connection)
    if (!connection.isInTransaction) return result
  } finally {
    connection.release()
  }
  throw new CallError('invalid_request', 'The statement left a transaction open; it was rolled back')
}
