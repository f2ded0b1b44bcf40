import { CallError } from '../errors.ts'
import type { Databases } from '../postgres/databases.ts'
import { Transaction, type TransactionSettings } from './transaction.ts'

/** How many ended transactions are remembered, for repeated commits and clear errors. */
const remembered = 10_000

/** All transactions of a gateway, by id. */
export class TransactionRegistry {
  readonly #databases: Databases
  readonly #open = new Map<string, Transaction>()
  /** Oldest first. */
  readonly #ended = new Map<string, Transaction>()

  constructor(databases: Databases) {
    this.#databases = databases
  }

  async begin(settings: TransactionSettings): Promise<Transaction> {
    const transaction = new Transaction(settings, this.#databases, (id) => this.#remember(id))
    this.#open.set(transaction.id, transaction)
    try {
      await transaction.begin()
    } catch (error) {
      await transaction.expire()
      throw error
    }
    return transaction
  }

  /** @throws {CallError} `transaction_not_found` */
  find(id: string): Transaction {
    const transaction = this.#open.get(id) ?? this.#ended.get(id)
    if (transaction) return transaction
    throw new CallError('transaction_not_found', 'There is no such transaction')
  }

  /** Rolls back those of one database, or all. */
  async expireAll(database?: string): Promise<void> {
    const chosen = [...this.#open.values()].filter(
      (each) => database === undefined || each.database === database,
    )
    await Promise.all(chosen.map((each) => each.expire()))
  }

  #remember(id: string): void {
    const transaction = this.#open.get(id)
    if (!transaction) return
    this.#open.delete(id)
    this.#ended.set(id, transaction)
    const [oldest] = this.#ended.keys()
    if (this.#ended.size > remembered && oldest !== undefined) this.#ended.delete(oldest)
  }
}
