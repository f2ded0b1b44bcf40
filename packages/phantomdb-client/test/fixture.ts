import { startPhantomDB, type PhantomDBServer } from '@outrider/phantomdb'
import { startPostgresServer, type TestPostgresServer } from '@outrider/test-kit'
import { afterAll, beforeAll } from 'vitest'
import { connect, type ConnectOptions, type PhantomDBClient } from '../src/index.ts'

/** A server of the test file, and clients of it that are closed at the end. */
export class TestServer {
  #postgres: TestPostgresServer | undefined
  #server: PhantomDBServer | undefined
  readonly #clients: PhantomDBClient[] = []

  get url(): string {
    return this.#server?.url ?? ''
  }

  get postgresUrl(): string {
    return this.#postgres?.url ?? ''
  }

  async start(): Promise<void> {
    this.#postgres = await startPostgresServer()
    this.#server = await startPhantomDB({ url: this.#postgres.url, port: 0 })
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.#server?.close()
    await this.#postgres?.stop()
  }

  connect(database: string, options: ConnectOptions = {}): PhantomDBClient {
    const client = connect(this.url, { database, ...options })
    this.#clients.push(client)
    return client
  }
}

/** Starts a {@link TestServer} for the test file. */
export function useServer(): TestServer {
  const server = new TestServer()
  beforeAll(() => server.start())
  afterAll(() => server.stop())
  return server
}
