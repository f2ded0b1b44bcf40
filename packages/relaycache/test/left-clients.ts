import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { eventually } from '@outrider/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { InMemoryCache, type CacheBackend } from '../src/index.ts'
import { latch, type Latch } from './latch.ts'
import type { RunningServer } from './view-contract.ts'

/** One request as a handler sees it. Its framework sends the answer. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly answer: (body: string) => void
}

type Handle = (exchange: Exchange) => void

/** Starts a server that answers every path through one cached view. `before` is called in front of the view. */
export type ServeNode = (backend: CacheBackend, before: Handle, handle: Handle) => Promise<RunningServer>

/** The suite of the views that do not see the response of their handler, only what it sends: if it sends any. */
export function describeLeftClients(framework: string, serve: ServeNode): void {
  describe(`a cached view for ${framework} whose client leaves`, () => {
    const servers: RunningServer[] = []
    /** How often a handler began to run. */
    let runs = 0
    const start = async (
      backend: CacheBackend,
      handle: Handle,
      before: Handle = () => undefined,
    ): Promise<string> => {
      runs = 0
      const counting: Handle = (exchange) => {
        runs += 1
        handle(exchange)
      }
      const server = await serve(backend, before, counting)
      servers.push(server)
      return server.url
    }
    afterEach(async () => {
      await Promise.all(servers.splice(0).map((server) => server.close()))
    })

    /** What does not answer when its client has left. */
    const careful: Handle = ({ response, answer }) => {
      if (!response.destroyed && !response.writableEnded) answer(`run ${runs}`)
    }
    const bodyOf = async (response: Promise<Response>): Promise<string> => (await response).text()

    it('during the read answers those who come later, and does not run the handler for it', async () => {
      const { backend, reading, go } = holdReads()
      const left = latch()
      const url = await start(backend, careful, ({ response }) => response.once('close', () => left.open()))
      const leaving = get(url).on('error', () => undefined)
      await reading.opened
      leaving.destroy()
      await left.opened
      go.open()
      expect(await bodyOf(fetch(url))).toBe('run 1')
    })

    it('during the read of a pipelined request answers those who come later', async () => {
      const { backend, reading, go } = holdReads()
      const left = latch()
      const url = await start(
        backend,
        ({ request, answer }) => {
          if (!request.socket.destroyed) answer(`run ${runs}`)
        },
        ({ request }) => request.socket.once('close', () => left.open()),
      )
      const leaving = pipeline(url, ['/first', '/second'])
      await reading.opened
      leaving.destroy()
      await left.opened
      go.open()
      expect(await bodyOf(fetch(`${url}/second`))).toBe('run 1')
    })

    it('while it waits behind a pipelined request answers those who come later', async () => {
      let isLeaving = true
      const url = await start(new InMemoryCache(), ({ answer }) => {
        if (!isLeaving) answer('body')
      })
      const leaving = pipeline(url, ['/first', '/second'])
      await eventually(() => expect(runs).toBe(2))
      const waiting = bodyOf(fetch(`${url}/second`))
      isLeaving = false
      leaving.destroy()
      expect(await waiting).toBe('body')
      expect(runs).toBe(3)
    })

    it('while it waits for another one is passed over by those who wait with it', async () => {
      const backend = new InMemoryCache()
      const seen: Exchange[] = []
      const url = await start(
        backend,
        (exchange) => {
          if (runs > 1) careful(exchange)
        },
        (exchange) => seen.push(exchange),
      )
      const leaving = []
      for (const count of [1, 2, 3]) {
        leaving.push(get(url).on('error', () => undefined))
        await eventually(() => expect(backend.counters.misses + backend.counters.coalesced).toBe(count))
      }
      const waiting = bodyOf(fetch(url))
      await eventually(() => expect(backend.counters.coalesced).toBe(3))
      for (const client of [...leaving.slice(1), ...leaving.slice(0, 1)]) {
        client.destroy()
        const left = seen[leaving.indexOf(client)]
        await eventually(() => expect(left?.response.destroyed).toBe(true))
      }
      expect(await waiting).toBe('run 2')
    })

    it('with the answer that something in front of the view gave during the read is left alone', async () => {
      const { backend, reading, go } = holdReads()
      let early: Exchange | undefined
      const url = await start(backend, careful, (exchange) => (early ??= exchange))
      const first = bodyOf(fetch(url))
      await reading.opened
      early?.response.end('too slow')
      go.open()
      expect(await first).toBe('too slow')
      expect(await bodyOf(fetch(url))).toBe('run 1')
    })

    it('has its response cached when the handler completes it all the same', async () => {
      const backend = new InMemoryCache()
      const url = await start(backend, ({ response, answer }) => {
        const run = runs
        response.once('close', () => answer(`run ${run}`))
      })
      const leaving = get(url).on('error', () => undefined)
      await eventually(() => expect(runs).toBe(1))
      const waiting = bodyOf(fetch(url))
      await eventually(() => expect(backend.counters.coalesced).toBe(1))
      leaving.destroy()
      expect(await waiting).toBe('run 1')
      const later = await fetch(url)
      expect([later.headers.get('x-cache'), await later.text()]).toEqual(['HIT', 'run 1'])
    })
  })
}

/** A cache in memory whose reads wait to be let go, as others wait for Redis. */
export function holdReads(): { backend: CacheBackend; reading: Latch; go: Latch } {
  const memory = new InMemoryCache()
  const [reading, go] = [latch(), latch()]
  const read = memory.read.bind(memory)
  const held: CacheBackend['read'] = async (...args) => {
    reading.open()
    await go.opened
    return read(...args)
  }
  return { backend: Object.assign(memory as CacheBackend, { read: held }), reading, go }
}

/** A client that sends all its requests at once. */
function pipeline(url: string, paths: readonly string[]): ReturnType<typeof connect> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
  return socket
}
