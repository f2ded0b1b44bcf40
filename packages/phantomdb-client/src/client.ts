import { Database } from './database.ts'
import {
  resolveConnectOptions,
  type ConnectOptions,
  type ConnectOptionsWithUrl,
  type ResolvedConnectOptions,
} from './options.ts'
import { Transport } from './transport.ts'

/** What a server says about itself. */
export interface Health {
  readonly status: string
  /** Whether the server runs its PostgreSQL itself. */
  readonly engine: 'embedded' | 'external'
  /** PostgreSQL's version, such as `18.4`. */
  readonly version: string
}

/** A PhantomDB server, and its database named by `database`. Made by {@link connect}. */
export class PhantomDBClient extends Database implements AsyncDisposable {
  readonly #transport: Transport

  constructor(options: ResolvedConnectOptions) {
    const transport = new Transport(options)
    super(transport, options.database)
    this.#transport = transport
  }

  /** @throws {ConnectionError} when no server answers */
  async healthCheck(): Promise<Health> {
    return (await this.#transport.send({ method: 'GET', path: '/health' })) as Health
  }

  async listDatabases(): Promise<string[]> {
    const reply = await this.#transport.send({ method: 'GET', path: '/databases' })
    return (reply as { databases: string[] }).databases
  }

  /** @throws {ProgrammingError} 42P04 when there is one of that name */
  async createDatabase(name: string): Promise<void> {
    await this.#transport.send({ method: 'POST', path: '/databases', body: { name } })
  }

  /** Removes a database with all it holds, and disconnects whoever uses it. @throws {ProgrammingError} 3D000 */
  async deleteDatabase(name: string): Promise<void> {
    await this.#transport.send({ method: 'DELETE', path: `/databases/${encodeURIComponent(name)}` })
  }

  /** Another database of the server, over the same connections. Nothing is sent yet. */
  db(name: string): Database {
    return new Database(this.#transport, name)
  }

  /** Waits for the running calls and closes the connections; later calls are refused. */
  async close(): Promise<void> {
    await this.#transport.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/**
 * A client of the server at a URL. Connects with the first call.
 * @throws {TypeError} naming an unknown option or a value that does not fit
 * @example
 * const client = connect('http://127.0.0.1:8080', { database: 'myapp' })
 */
export function connect(url: string | URL, options?: ConnectOptions): PhantomDBClient
export function connect(options: ConnectOptionsWithUrl): PhantomDBClient
export function connect(
  target: string | URL | ConnectOptionsWithUrl,
  options: ConnectOptions = {},
): PhantomDBClient {
  const all = typeof target === 'string' || target instanceof URL ? { ...options, url: target } : target
  return new PhantomDBClient(resolveConnectOptions(all))
}
