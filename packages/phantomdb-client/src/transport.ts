import { Pool, type Dispatcher } from 'undici'
import { toJson } from './encode.ts'
import { TimeoutError } from './errors.ts'
import { replyError, transportError } from './failures.ts'
import type { ResolvedConnectOptions } from './options.ts'

/** What a single call may set. */
export interface CallOptions {
  /** Cancels the call, on the server too. The call rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** In place of the client's `requestTimeoutMs`; `Infinity` waits for as long as it takes. */
  requestTimeoutMs?: number | undefined
}

/** A call as it goes to the server. */
export interface Call extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
  /** Of the transaction the call belongs to. */
  readonly transactionId?: string | undefined
}

/** Sends calls over two pools of HTTP connections. */
export class Transport {
  readonly #options: ResolvedConnectOptions
  readonly #pool: Pool
  /** For calls of transactions: not limited, so that no COMMIT waits for a connection. */
  readonly #reserved: Pool
  readonly #prefix: string
  #closing: Promise<unknown> | undefined

  constructor(options: ResolvedConnectOptions) {
    this.#options = options
    const { url, maxConnections, idleTimeoutMs, connectTimeoutMs } = options
    const settings: Pool.Options = {
      keepAliveTimeout: idleTimeoutMs,
      connect: { timeout: connectTimeoutMs },
      headersTimeout: 0,
      bodyTimeout: 0,
    }
    this.#pool = new Pool(url.origin, { ...settings, connections: maxConnections })
    this.#reserved = new Pool(url.origin, settings)
    this.#prefix = url.pathname.replace(/\/$/, '')
  }

  /** @throws {PhantomDBError} of the class that fits, see the README */
  async send(call: Call): Promise<unknown> {
    const { signal, requestTimeoutMs = this.#options.requestTimeoutMs } = call
    signal?.throwIfAborted()
    const timeout = requestTimeoutMs === Infinity ? undefined : AbortSignal.timeout(requestTimeoutMs)
    const signals = [signal, timeout].filter((each) => each !== undefined)
    const { status, body } = await this.#request(call, AbortSignal.any(signals)).catch((error: unknown) => {
      signal?.throwIfAborted()
      if (timeout?.aborted) throw new TimeoutError(`No reply within ${requestTimeoutMs} ms`, { cause: error })
      throw transportError(error)
    })
    if (status >= 400) throw replyError(status, body)
    return body
  }

  /** Waits for the running calls and closes the connections. Again does nothing. */
  async close(): Promise<void> {
    this.#closing ??= Promise.all([this.#pool.close(), this.#reserved.close()])
    await this.#closing
  }

  async #request(call: Call, signal: AbortSignal): Promise<{ status: number; body: unknown }> {
    const { method, path, query, transactionId } = call
    const request: Dispatcher.RequestOptions = {
      method,
      path: `${this.#prefix}${path}${queryString(query)}`,
      headers: {
        ...(this.#options.token !== undefined && { authorization: `Bearer ${this.#options.token}` }),
        ...(call.body !== undefined && { 'content-type': 'application/json' }),
        ...(transactionId !== undefined && { 'x-phantomdb-transaction': transactionId }),
      },
      body: call.body === undefined ? null : toJson(call.body),
      signal,
    }
    const isReserved = transactionId !== undefined || path.startsWith('/transactions')
    const reply = await (isReserved ? this.#reserved : this.#pool).request(request)
    const text = await reply.body.text()
    return { status: reply.statusCode, body: parsed(text) }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function queryString(query: Call['query'] = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
