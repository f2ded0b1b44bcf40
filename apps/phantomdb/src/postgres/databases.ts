import { Pool, type PoolClient } from 'pg'
import { CallError } from '../errors.ts'
import { isPostgresFailure } from './failures.ts'
import { checkName, quoteIdentifier } from './identifiers.ts'

/** Which server, and how many connections. */
export interface DatabasesOptions {
  /** Of any database of the server; the role's rights are the gateway's. */
  readonly url: string
  /** Connections per database for calls outside of transactions. */
  readonly maxConnections: number
  /** Connections per database for transactions: kept apart, so that lock waiters cannot use them up. */
  readonly maxTransactions: number
  readonly acquireTimeoutMs: number
}

type Purpose = 'calls' | 'transactions'

/** The databases of one PostgreSQL server, with two pools of connections each. */
export class Databases {
  readonly #options: DatabasesOptions
  readonly #admin: Pool
  readonly #pools = new Map<string, Record<Purpose, Pool>>()

  constructor(options: DatabasesOptions) {
    this.#options = options
    this.#admin = this.#createPool(options.url, 4)
  }

  /** PostgreSQL's version, such as `18.4`. */
  async version(): Promise<string> {
    const { rows } = await this.#admin.query<{ server_version: string }>('show server_version')
    return rows[0]?.server_version ?? ''
  }

  async list(): Promise<string[]> {
    const { rows } = await this.#admin.query<{ datname: string }>(
      `select datname from pg_database where datallowconn and not datistemplate and datname <> 'postgres' order by 1`,
    )
    return rows.map(({ datname }) => datname)
  }

  async create(name: string): Promise<void> {
    await this.#admin.query(`create database ${quoteIdentifier(checkName(name, 'database'))}`)
  }

  /** Drops a database and disconnects whoever uses it. */
  async drop(name: string): Promise<void> {
    const pools = this.#pools.get(name)
    this.#pools.delete(name)
    await this.#admin.query(`drop database ${quoteIdentifier(checkName(name, 'database'))} with (force)`)
    // Their connections are broken; what is lent comes back and is thrown away.
    for (const pool of Object.values(pools ?? {})) void pool.end()
  }

  /** Lends a connection; `release()` gives it back. A database that is not there is created. */
  async lend(database: string, purpose: Purpose): Promise<PoolClient> {
    checkName(database, 'database')
    try {
      return await this.#pool(database, purpose).connect()
    } catch (error) {
      if (!isPostgresFailure(error) || error.code !== '3D000') throw error
      await this.#createOnFirstUse(database)
      return await this.#pool(database, purpose).connect()
    }
  }

  /** Cancels what a connection runs. Resolves once PostgreSQL has been told. */
  async cancel(client: PoolClient): Promise<void> {
    // `pg` has it; its types do not.
    const { processID } = client as PoolClient & { processID: number | null }
    await this.#admin.query('select pg_cancel_backend($1)', [processID])
  }

  /** Closes all connections, waiting for those that are lent. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()].flatMap((each) => Object.values(each))
    await Promise.all(pools.map((pool) => pool.end()))
    await this.#admin.end()
  }

  async #createOnFirstUse(database: string): Promise<void> {
    try {
      await this.create(database)
    } catch (error) {
      if (!isPostgresFailure(error)) throw error
      // 42P04 and 23505: another call was first.
      if (error.code === '42P04' || error.code === '23505') return
      if (error.code !== '42501') throw error
      throw new CallError('query_error', `Database '${database}' does not exist`, {
        status: 404,
        sqlstate: '3D000',
      })
    }
  }

  #pool(database: string, purpose: Purpose): Pool {
    let pools = this.#pools.get(database)
    if (pools === undefined) {
      const url = new URL(this.#options.url)
      url.pathname = `/${encodeURIComponent(database)}`
      pools = {
        calls: this.#createPool(url.href, this.#options.maxConnections),
        transactions: this.#createPool(url.href, this.#options.maxTransactions),
      }
      this.#pools.set(database, pools)
    }
    return pools[purpose]
  }

  #createPool(connectionString: string, max: number): Pool {
    const pool = new Pool({
      connectionString,
      max,
      connectionTimeoutMillis: this.#options.acquireTimeoutMs,
      application_name: 'phantomdb',
    })
    // A connection that breaks while nobody uses it is replaced; one that is in use fails its statement.
    pool.on('error', () => {})
    pool.on('connect', (client) => client.on('error', () => {}))
    return pool
  }
}
