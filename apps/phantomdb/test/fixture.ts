import { startPostgresServer, type TestPostgresServer } from '@outrider/test-kit'
import { Client } from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { startPhantomDB, type PhantomDBServer, type StartPhantomDBOptions } from '../src/index.ts'

export interface Reply {
  readonly status: number
  // What a reply holds differs from call to call; the tests say what they expect.
  readonly body: Record<string, unknown> & { message?: string; code?: string; sqlstate?: string }
}

export interface CallInit {
  body?: unknown
  transaction?: string
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** Calls a gateway as any HTTP client would. */
export async function call(base: string, request: string, init: CallInit = {}): Promise<Reply> {
  const [method = 'GET', path = '/'] = request.split(' ')
  const reply = await fetch(base + path, {
    method,
    headers: {
      ...(init.body !== undefined && { 'content-type': 'application/json' }),
      ...(init.transaction !== undefined && { 'x-phantomdb-transaction': init.transaction }),
      ...init.headers,
    },
    body: typeof init.body === 'string' ? init.body : JSON.stringify(init.body),
    signal: init.signal ?? null,
  })
  return { status: reply.status, body: (await reply.json()) as Reply['body'] }
}

/** A gateway of the test file, in front of a PostgreSQL of its own that is not durable. */
export class TestGateway {
  #postgres: TestPostgresServer | undefined
  #server: PhantomDBServer | undefined
  #observer: Client | undefined

  get url(): string {
    return this.#server?.url ?? ''
  }

  get postgresUrl(): string {
    return this.#postgres?.url ?? ''
  }

  async start(options: StartPhantomDBOptions): Promise<void> {
    this.#postgres = await startPostgresServer()
    this.#server = await startPhantomDB({ url: this.#postgres.url, port: 0, ...options })
    this.#observer = new Client({ connectionString: this.#postgres.url })
    await this.#observer.connect()
  }

  async stop(): Promise<void> {
    await this.#observer?.end()
    await this.#server?.close()
    await this.#postgres?.stop()
  }

  call(request: string, init?: CallInit): Promise<Reply> {
    return call(this.url, request, init)
  }

  /** Runs SQL through the gateway. */
  query(database: string, query: string, init: CallInit & { parameters?: unknown[] } = {}): Promise<Reply> {
    const { parameters = [], ...rest } = init
    return this.call(`POST /databases/${database}/query`, { ...rest, body: { query, parameters } })
  }

  async begin(body: object): Promise<string> {
    return String((await this.call('POST /transactions', { body })).body['transaction_id'])
  }

  /** How many of the gateway's connections are in a state of pg_stat_activity, past the gateway. */
  async count(condition: string): Promise<number> {
    const sql = `select count(*)::int as n from pg_stat_activity where application_name = 'phantomdb' and ${condition}`
    const { rows } = (await this.#observer?.query<{ n: number }>(sql)) ?? { rows: [] }
    return rows[0]?.n ?? -1
  }
}

/** Starts a {@link TestGateway} for the test file. */
export function useGateway(options: StartPhantomDBOptions = {}): TestGateway {
  const gateway = new TestGateway()
  beforeAll(() => gateway.start(options))
  afterAll(() => gateway.stop())
  return gateway
}

/** The path of a table with a condition in its query string. */
export function withCondition(path: string, condition: unknown): string {
  const text = typeof condition === 'string' ? condition : JSON.stringify(condition)
  return `${path}?condition=${encodeURIComponent(text)}`
}
