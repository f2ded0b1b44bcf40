import { createServer, get } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { eventually } from '@outrider/test-kit'
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { cacheView } from '../src/express/index.ts'
import { InMemoryCache, invalidate } from '../src/index.ts'
import { latch } from './latch.ts'
import { describeLeftClients, type Exchange } from './left-clients.ts'
import { listen } from './serve-fetch.ts'
import { describeViews, type RunningServer } from './view-contract.ts'

const onError: ErrorRequestHandler = (error: Error, _request, response, next) => {
  if (response.headersSent) next(error)
  else response.status(500).send(error.message)
}

describeViews('Express', ({ tags, keyFunc, ...options }, handle) => {
  const app = express()
  const view = cacheView({
    ...options,
    tags: (request: Request) => (typeof tags === 'function' ? tags(request.originalUrl) : (tags ?? [])),
    keyFunc: keyFunc && ((request: Request) => keyFunc(request.originalUrl)),
  })
  const respond = async (request: Request, response: Response): Promise<void> => {
    const { method, originalUrl: url } = request
    const header = (name: string): string | undefined => request.get(name)
    const { status = 200, headers = {}, body = '' } = await handle({ method, url, header })
    response.status(status).set(headers)
    if (typeof body === 'string' || body instanceof Uint8Array) response.end(body)
    else await pipeline(Readable.from(body), response)
  }
  app.use(view, (request, response) => respond(request, response))
  app.use(onError)
  return listen(createServer(app))
})

describeLeftClients('Express', (backend, before, handle) => {
  const app = express()
  const exchange = (request: Request, response: Response): Exchange => ({
    request,
    response,
    answer: (body) => response.send(body),
  })
  app.use((request, response, next) => {
    before(exchange(request, response))
    next()
  })
  app.use(cacheView({ backend }), (request, response) => handle(exchange(request, response)))
  return listen(createServer(app))
})

describe('cacheView() for Express', () => {
  const servers: RunningServer[] = []
  const start = async (prepare: (app: Express) => void): Promise<string> => {
    const app = express()
    prepare(app)
    app.use(onError)
    const server = await listen(createServer(app))
    servers.push(server)
    return server.url
  }
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()))
  })

  it('keeps json, html and files of routes with parameters, also in a router', async () => {
    const backend = new InMemoryCache()
    let runs = 0
    const url = await start((app) => {
      const router = express.Router()
      const options = { ttl: 1800, backend }
      router.get(
        '/json/:slug',
        cacheView({ ...options, tags: (request) => [`book:${String(request.params['slug'])}`] }),
        (request, response) => {
          runs += 1
          response.json({ slug: request.params.slug, runs })
        },
      )
      router.get('/html', cacheView(options), (_request, response) => {
        response.send(`<p>${(runs += 1)}</p>`)
      })
      router.get('/file', cacheView(options), (_request, response) => {
        runs += 1
        response.sendFile(new URL('../package.json', import.meta.url).pathname)
      })
      app.use('/books', router)
      app.use('/films', router)
    })
    const bodyOf = async (path: string): Promise<string> => (await fetch(url + path)).text()
    for (const path of ['/books/json/dune', '/films/json/dune', '/books/html', '/books/file']) {
      const first = await fetch(url + path)
      const second = await fetch(url + path)
      expect(await second.text()).toBe(await first.text())
      expect(second.headers.get('x-cache')).toBe('HIT')
      for (const name of ['content-type', 'content-length', 'etag', 'last-modified', 'x-powered-by'])
        expect(second.headers.get(name)).toBe(first.headers.get(name))
      const known = await fetch(url + path, {
        headers: { 'if-none-match': String(second.headers.get('etag')) },
      })
      expect([known.status, known.headers.get('content-length')]).toEqual([304, null])
    }
    expect(runs).toBe(4)
    await invalidate({ tags: ['book:dune'], backend })
    expect(await bodyOf('/books/json/dune')).toBe('{"slug":"dune","runs":5}')
  })

  it('leaves to middleware in front of it what that sets', async () => {
    let requests = 0
    const url = await start((app) => {
      app.use((_request, response, next) => {
        response.set({ 'x-request-id': `${(requests += 1)}`, 'x-frame-options': 'DENY', 'x-kept': 'yes' })
        next()
      })
      app.get('/', cacheView({ backend: new InMemoryCache() }), (_request, response) => {
        response.removeHeader('x-frame-options')
        response.send('body')
      })
    })
    for (const id of ['1', '2', '3']) {
      const { headers } = await fetch(url)
      expect(headers.get('x-request-id')).toBe(id)
      expect(headers.get('x-kept')).toBe('yes')
      expect(headers.get('x-frame-options')).toBeNull()
    }
  })

  it.each([['in front of it'], ['behind it']])(
    'does not cache a response that gets a cookie at the last moment, by middleware %s',
    async (place) => {
      let runs = 0
      const session: RequestHandler = (_request, response, next) => {
        const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => typeof response
        response.writeHead = (...args: unknown[]) => {
          response.setHeader('set-cookie', 'session=1')
          return writeHead(...args)
        }
        next()
      }
      const url = await start((app) => {
        const view = cacheView({ backend: new InMemoryCache() })
        app.use(
          place === 'behind it' ? [view, session] : [session, view],
          (_request: Request, response: Response) => {
            response.send(`token ${(runs += 1)}`)
          },
        )
      })
      for (const body of ['token 1', 'token 2']) {
        const response = await fetch(url)
        expect([await response.text(), response.headers.get('set-cookie')]).toEqual([body, 'session=1'])
      }
    },
  )

  it('keeps what a handler writes by the methods of Node', async () => {
    const called: string[] = []
    let runs = 0
    const url = await start((app) => {
      app.get('/{:kind}', cacheView({ backend: new InMemoryCache() }), (request, response) => {
        runs += 1
        if (request.params['kind'] === 'list') response.writeHead(200, 'Fine', ['X-A', '1', 'X-B', '2'])
        else response.writeHead(200, { 'X-A': '1', 'X-B': '2' })
        response.write('e3', 'hex', () => called.push('first'))
        response.write(Buffer.from('é').subarray(1), () => called.push('second'))
        response.end('!', () => called.push('end'))
        response.end('too late')
      })
    })
    for (const path of ['/list', '/object', '/list', '/object']) {
      const response = await fetch(url + path)
      expect(Buffer.from(await response.arrayBuffer()).toString('hex')).toBe('e3a921')
      expect([response.headers.get('x-a'), response.headers.get('x-b')]).toEqual(['1', '2'])
    }
    expect(runs).toBe(2)
    expect(called).toEqual(['first', 'second', 'end', 'first', 'second', 'end'])
  })

  it('passes on at once what is sent without an end, or with flushed headers', async () => {
    const url = await start((app) => {
      const view = cacheView({ backend: new InMemoryCache() })
      app.get('/events', view, (_request, response) => {
        response.type('text/event-stream').write('data: 1\n\n')
      })
      app.get('/flushed', view, (_request, response) => {
        response.flushHeaders()
        response.write('data: 1\n\n')
      })
    })
    for (const path of ['/events', '/flushed']) {
      const leaving = new AbortController()
      const response = await fetch(url + path, { signal: leaving.signal })
      const { value } = (await response.body?.getReader().read()) ?? {}
      expect(Buffer.from(value ?? []).toString()).toBe('data: 1\n\n')
      leaving.abort()
    }
  })

  it('breaks the connection when a handler fails half-way, and answers others by themselves', async () => {
    let runs = 0
    const url = await start((app) => {
      app.get('/', cacheView({ backend: new InMemoryCache() }), async (_request, response) => {
        runs += 1
        if (runs > 1) return void response.send('whole')
        response.write('half')
        throw new Error('failed')
      })
    })
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow()
    expect(await (await fetch(url)).text()).toBe('whole')
  })

  it('lets another request run the handler when the client went away and the handler does not answer', async () => {
    const backend = new InMemoryCache()
    let runs = 0
    const stuck = latch()
    const url = await start((app) => {
      app.get('/', cacheView({ backend }), async (_request, response) => {
        runs += 1
        if (runs === 1) await stuck.opened
        response.send(`run ${runs}`)
      })
    })
    const leaving = get(url).on('error', () => undefined)
    await eventually(() => expect(runs).toBe(1))
    const waiting = [fetch(url), fetch(url), fetch(url)]
    await eventually(() => expect(backend.counters.coalesced).toBe(3))
    leaving.destroy()
    const bodies = (await Promise.all(waiting)).map((response) => response.text())
    expect(await Promise.all(bodies)).toEqual(['run 2', 'run 2', 'run 2'])
    stuck.open()
  })

  it('restores what it hid from the handlers, and passes errors of keyFunc to the framework', async () => {
    const seen: unknown[] = []
    const url = await start((app) => {
      app.use((request, response, next) => {
        response.once('finish', () => seen.push([request.method, request.get('if-none-match')]))
        next()
      })
      const backend = new InMemoryCache()
      app.get('/', cacheView({ backend }), (request, response) => {
        seen.push([request.method, request.get('if-none-match')])
        response.send('body')
      })
      app.get('/error', cacheView({ backend, keyFunc: () => '' }), () => expect.fail())
    })
    await fetch(url, { method: 'HEAD', headers: { 'if-none-match': '"x"' } })
    await eventually(() =>
      expect(seen).toEqual([
        ['GET', undefined],
        ['HEAD', '"x"'],
      ]),
    )
    const response = await fetch(`${url}/error`)
    expect([response.status, await response.text()]).toEqual([
      500,
      "Expected keyFunc to return a string that is not empty, got ''",
    ])
  })

  it('refuses options that it does not know', () => {
    expect(() => cacheView({ maxBodyByte: 1 } as object)).toThrow('did you mean "maxBodyBytes"?')
  })
})
