import { setTimeout as sleep } from 'node:timers/promises'
import { checkOptions, type OptionChecks } from '@outrider/options'
import type { ColumnDefinition } from './columns.ts'
import { isPhantomDBError } from './errors.ts'
import { isTimeout } from './options.ts'
import { Queryable } from './queryable.ts'
import { Transaction, type BeginOptions, type TransactionOptions } from './transaction.ts'
import type { Call, Transport } from './transport.ts'

/** One database of a server. */
export class Database extends Queryable {
  readonly #transport: Transport
  readonly #name: string | undefined

  /** Made by `db(name)`. */
  constructor(transport: Transport, name: string | undefined) {
    super()
    this.#transport = transport
    this.#name = name
  }

  /** The names of its tables. */
  async listTables(): Promise<string[]> {
    return ((await this.send({ method: 'GET', path: '/tables' })) as { tables: string[] }).tables
  }

  /** @throws {ProgrammingError} 42P07 when there is one of that name */
  async createTable(name: string, columns: readonly ColumnDefinition[]): Promise<void> {
    await this.send({ method: 'POST', path: '/tables', body: { name, columns } })
  }

  /** Removes a table and its rows. @throws {ProgrammingError} 42P01 when there is none */
  async dropTable(name: string): Promise<void> {
    await this.send({ method: 'DELETE', path: `/tables/${encodeURIComponent(name)}` })
  }

  /**
   * Runs a callback in a transaction: commits when it resolves, rolls back when it rejects. It may run several times,
   * see `retries`; what it does elsewhere should bear that.
   */
  async transaction<T>(
    callback: (tx: Transaction) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    checkOptions(options, transactionChecks)
    const { retries = 3, ...settings } = options
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(callback, settings)
      } catch (error) {
        if (attempt > retries || !isConflict(error)) throw error
        // Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        await sleep(Math.random() * Math.min(1000, 10 * 2 ** attempt))
      }
    }
  }

  /** Begins a transaction that the caller commits or rolls back; {@link transaction} does both by itself. */
  async beginTransaction(options: BeginOptions = {}): Promise<Transaction> {
    checkOptions(options, beginChecks)
    const path = this.#path()
    const reply = await this.#transport.send({
      method: 'POST',
      path: '/transactions',
      body: { database: this.#name, ...options },
    })
    return new Transaction((reply as { transaction_id: string }).transaction_id, this.#transport, path)
  }

  protected override async send(call: Call): Promise<unknown> {
    return await this.#transport.send({ ...call, path: this.#path() + call.path })
  }

  #path(): string {
    if (this.#name !== undefined) return `/databases/${encodeURIComponent(this.#name)}`
    throw new TypeError('No database: give one to connect(), or use db(name)')
  }

  async #attempt<T>(callback: (tx: Transaction) => Promise<T>, settings: BeginOptions): Promise<T> {
    const transaction = await this.beginTransaction(settings)
    try {
      const result = await callback(transaction)
      await transaction.commit()
      return result
    } catch (error) {
      // The first error is the one to tell; without a connection the server rolls back by itself.
      await transaction.rollback().catch(() => {})
      throw error
    }
  }
}

const beginChecks: OptionChecks<BeginOptions> = {
  isolationLevel: {
    expected: "'read uncommitted', 'read committed', 'repeatable read' or 'serializable'",
    accepts: (value) => /^(?:read (?:un)?committed|repeatable read|serializable)$/.test(String(value)),
  },
  accessMode: {
    expected: "'read write' or 'read only'",
    accepts: (value) => value === 'read write' || value === 'read only',
  },
  timeoutMs: { expected: 'an integer > 0', accepts: isTimeout },
}

const transactionChecks: OptionChecks<TransactionOptions> = {
  ...beginChecks,
  retries: {
    expected: 'an integer >= 0',
    accepts: (value) => Number.isInteger(value) && Number(value) >= 0,
  },
}

const isConflict = (error: unknown): boolean =>
  isPhantomDBError(error) && (error.sqlstate === '40001' || error.sqlstate === '40P01')
