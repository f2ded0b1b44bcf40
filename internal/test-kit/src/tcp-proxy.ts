import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { Transform, type TransformCallback } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** Where a proxy listens or leads to. */
export interface TcpAddress {
  host: string
  port: number
}

/** A proxy in front of a real server whose connections can be slowed, cut, refused and silenced. */
export interface TcpProxy extends AsyncDisposable, Readonly<TcpAddress> {
  /** How many clients are connected at the moment. */
  readonly connections: number
  /** Delays every piece of data by this much in each direction, also on the open connections. @default 0 */
  setLatency(milliseconds: number): void
  /** Resets every open connection; new ones are accepted. */
  cut(): void
  /** Whether new connections are reset at once. The open ones live on. */
  refuse(on: boolean): void
  /**
   * Whether data is swallowed in both directions while the connections stay open, as after a broken line. What was
   * swallowed never arrives; switched off, the open connections pass on what comes then.
   */
  halfOpen(on: boolean): void
  /** Resets every connection and ends the listening. */
  stop(): Promise<void>
}

/** What {@link startTcpProxy} takes. */
export interface StartTcpProxyOptions {
  /** @default 0 */
  latencyMs?: number
}

/** Starts a proxy to `target` on a free port of 127.0.0.1. */
export async function startTcpProxy(
  target: TcpAddress,
  options: StartTcpProxyOptions = {},
): Promise<TcpProxy> {
  const state = { latencyMs: options.latencyMs ?? 0, refusing: false, silent: false }
  const clients = new Set<Socket>()

  const server = createServer({ noDelay: true }, (client) => {
    if (state.refusing) {
      client.on('error', ignore).resetAndDestroy()
      return
    }
    const upstream = createConnection({ ...target, noDelay: true })
    clients.add(client)
    client.once('close', () => {
      clients.delete(client)
      upstream.destroy()
    })
    upstream.on('error', () => {
      if (!state.silent) client.resetAndDestroy()
    })
    client.on('error', () => upstream.resetAndDestroy())
    client.pipe(new Line(state)).pipe(upstream)
    upstream.pipe(new Line(state)).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()

  const cut = () => {
    for (const client of clients) client.resetAndDestroy()
  }
  const stop = async () => {
    cut()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  return {
    host: '127.0.0.1',
    port: typeof address === 'object' && address ? address.port : 0,
    get connections() {
      return clients.size
    },
    setLatency(milliseconds) {
      state.latencyMs = milliseconds
    },
    cut,
    refuse(on) {
      state.refusing = on
    },
    halfOpen(on) {
      state.silent = on
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface LineState {
  readonly latencyMs: number
  readonly silent: boolean
}

/** One direction of a connection. The delays of pieces overlap, so latency does not limit the throughput. */
class Line extends Transform {
  readonly #state: LineState
  #delivered: Promise<void> = Promise.resolve()
  #underway = 0

  constructor(state: LineState) {
    super()
    this.#state = state
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#state.silent) {
      done()
    } else if (this.#state.latencyMs === 0 && this.#underway === 0) {
      done(null, chunk)
    } else {
      this.#delivered = this.#deliverLater(chunk, this.#delivered)
      // A reader that never catches up must slow the writer down in the end.
      if (this.#underway < 256) done()
      else void callAfter(this.#delivered, done)
    }
  }

  override _flush(done: TransformCallback): void {
    // The end of one side is not passed on by a broken line either.
    void callAfter(this.#delivered, () => {
      if (!this.#state.silent) done()
    })
  }

  async #deliverLater(chunk: Buffer, previous: Promise<void>): Promise<void> {
    this.#underway += 1
    // Never before the previous piece, even if the latency was lowered in between: TCP keeps the order.
    await Promise.all([previous, sleep(this.#state.latencyMs)])
    this.#underway -= 1
    if (!this.#state.silent && !this.destroyed) this.push(chunk)
  }
}

async function callAfter(promise: Promise<void>, call: () => void): Promise<void> {
  await promise
  call()
}

function ignore(): void {}
