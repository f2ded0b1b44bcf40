import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { eventually } from '@outrider/test-kit'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { cacheView } from '../src/fastify/index.ts'
import { InMemoryCache, invalidate } from '../src/index.ts'
import { latch } from './latch.ts'
import { describeLeftClients, holdReads, type Exchange } from './left-clients.ts'
import { describeViews, type RunningServer } from './view-contract.ts'

async function listen(app: FastifyInstance): Promise<RunningServer> {
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { url, close: () => app.close() }
}

const createApp = (): FastifyInstance =>
  fastify({
    forceCloseConnections: true,
    serverFactory: (handler, options) => createServer(options, handler),
  })

describeViews('Fastify', ({ tags, keyFunc, ...options }, handle) => {
  const app = createApp()
  const view = cacheView({
    ...options,
    tags: (request: FastifyRequest) =>
      typeof tags === 'function' ? tags(request.originalUrl) : (tags ?? []),
    keyFunc: keyFunc && ((request: FastifyRequest) => keyFunc(request.originalUrl)),
  })
  app.setErrorHandler((error: Error, _request, reply) => reply.code(500).send(error.message))
  app.all('/*', view, async (request, reply) => {
    const header = (name: string): string | undefined => request.headers[name] as string | undefined
    const {
      status = 200,
      headers = {},
      body = '',
    } = await handle({ method: request.method, url: request.originalUrl, header })
    reply.code(status).headers(headers)
    if (typeof body === 'string') return reply.send(body)
    return reply.send(body instanceof Uint8Array ? body : Readable.from(body))
  })
  return listen(app)
})

describeLeftClients('Fastify', (backend, before, handle) => {
  const app = createApp()
  const exchange = (request: FastifyRequest, reply: FastifyReply): Exchange => ({
    request: request.raw,
    response: reply.raw,
    answer: (body) => void reply.send(body),
  })
  app.addHook('onRequest', (request, reply, done) => {
    before(exchange(request, reply))
    done()
  })
  app.get('/*', cacheView({ backend }), (request, reply) => handle(exchange(request, reply)))
  return listen(app)
})

describe('cacheView() for Fastify', () => {
  const servers: RunningServer[] = []
  const start = async (prepare: (app: FastifyInstance) => void): Promise<string> => {
    const app = createApp()
    prepare(app)
    const server = await listen(app)
    servers.push(server)
    return server.url
  }
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()))
  })

  it('keeps objects, text and Responses of routes with parameters', async () => {
    const backend = new InMemoryCache()
    let runs = 0
    const url = await start((app) => {
      const options = { ttl: 1800, backend }
      app.get<{ Params: { slug: string } }>(
        '/object/:slug',
        cacheView<{ Params: { slug: string } }>({
          ...options,
          tags: ({ params }) => [`book:${params.slug}`],
        }),
        (request, reply) => {
          void reply.send({ slug: request.params.slug, runs: (runs += 1) })
        },
      )
      app.get('/text', cacheView(options), async () => `text ${(runs += 1)}`)
      app.get('/response', cacheView(options), async () =>
        Response.json({ runs: (runs += 1) }, { headers: { 'x-a': '1' } }),
      )
      app.get('/nothing', cacheView(options), (_request, reply) => {
        runs += 1
        void reply.send()
      })
    })
    for (const path of ['/object/dune', '/text', '/response', '/nothing']) {
      const first = await fetch(url + path)
      const second = await fetch(url + path)
      expect(await second.text()).toBe(await first.text())
      expect([first.headers.get('x-cache'), second.headers.get('x-cache')]).toEqual(['MISS', 'HIT'])
      for (const name of ['content-type', 'content-length', 'etag', 'x-a'])
        expect(second.headers.get(name)).toBe(first.headers.get(name))
      const known = await fetch(url + path, {
        headers: { 'if-none-match': String(second.headers.get('etag')) },
      })
      expect([known.status, known.headers.get('content-length')]).toEqual([304, null])
    }
    expect(runs).toBe(4)
    await invalidate({ tags: ['book:dune'], backend })
    expect(await (await fetch(`${url}/object/dune`)).json()).toEqual({ slug: 'dune', runs: 5 })
  })

  it('answers the HEAD routes that Fastify adds', async () => {
    const url = await start((app) => {
      app.get('/', cacheView({ backend: new InMemoryCache() }), (request, reply) => {
        void reply.send({ method: request.method })
      })
    })
    const head = await fetch(url, { method: 'HEAD' })
    const get = await fetch(url)
    expect(await get.text()).toBe('{"method":"GET"}')
    expect(get.headers.get('x-cache')).toBe('HIT')
    const known = { 'if-none-match': String(get.headers.get('etag')) }
    const responses = [
      head,
      await fetch(url, { method: 'HEAD' }),
      await fetch(url, { method: 'HEAD', headers: known }),
    ]
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 304])
    for (const { headers } of responses)
      expect(headers.get('content-type')).toBe(get.headers.get('content-type'))
    expect(head.headers.get('content-length')).toBe('16')
  })

  it('runs after the hooks of the application and of the route, for every request', async () => {
    let requests = 0
    let runs = 0
    const url = await start((app) => {
      app.addHook('onRequest', async (_request, reply) => {
        void reply.header('x-request-id', `${(requests += 1)}`)
      })
      app.addHook('onSend', async (_request, reply, payload) => {
        reply.header('x-sent', 'yes')
        return payload
      })
      const checked: string[] = []
      const options = {
        schema: { querystring: { type: 'object', properties: { page: { type: 'integer' } } } },
        preHandler: async (request: FastifyRequest) => {
          checked.push(request.originalUrl)
          if (request.headers['x-forbidden']) throw Object.assign(new Error('no'), { statusCode: 403 })
        },
        onSend: async (_request: FastifyRequest, _reply: unknown, payload: unknown) => `${String(payload)}!`,
      } as const
      app.get('/', cacheView({ backend: new InMemoryCache() }, options), async () => `run ${(runs += 1)}`)
    })
    for (const id of ['1', '2']) {
      const response = await fetch(`${url}/?page=1`)
      expect([response.headers.get('x-request-id'), response.headers.get('x-sent')]).toEqual([id, 'yes'])
    }
    expect(runs).toBe(1)
    expect((await fetch(`${url}/?page=1`, { headers: { 'x-forbidden': '1' } })).status).toBe(403)
    expect((await fetch(`${url}/?page=one`)).status).toBe(400)
  })

  it('does not cache a response that gets a cookie from another hook', async () => {
    let runs = 0
    const url = await start((app) => {
      app.addHook('onSend', async (_request, reply, payload) => {
        reply.header('set-cookie', 'session=1')
        return payload
      })
      app.get('/', cacheView({ backend: new InMemoryCache() }), async () => `token ${(runs += 1)}`)
    })
    for (const body of ['token 1', 'token 2']) expect(await (await fetch(url)).text()).toBe(body)
  })

  it('lets others go on when a handler takes the reply over, or its client went away', async () => {
    const backend = new InMemoryCache()
    const stuck = latch()
    let runs = 0
    const url = await start((app) => {
      app.get('/hijacked', cacheView({ backend }), (_request, reply) => {
        reply.hijack()
        reply.raw.end(`run ${(runs += 1)}`)
      })
      app.get('/stuck', cacheView({ backend }), async () => {
        runs += 1
        if (runs === 3) await stuck.opened
        return `run ${runs}`
      })
    })
    for (const body of ['run 1', 'run 2']) expect(await (await fetch(`${url}/hijacked`)).text()).toBe(body)
    const leaving = new AbortController()
    const left = fetch(`${url}/stuck`, { signal: leaving.signal }).catch(() => 'left')
    await eventually(() => expect(runs).toBe(3))
    const waiting = [fetch(`${url}/stuck`), fetch(`${url}/stuck`)]
    await eventually(() => expect(backend.counters.coalesced).toBe(2))
    leaving.abort()
    const bodies = (await Promise.all(waiting)).map((response) => response.text())
    expect(await Promise.all(bodies)).toEqual(['run 4', 'run 4'])
    stuck.open()
    expect(await left).toBe('left')
  })

  it('lets others go on when something in front of it takes the reply over during the read', async () => {
    const { backend, reading, go } = holdReads()
    const replies: FastifyReply[] = []
    const url = await start((app) => {
      app.addHook('onRequest', async (_request, reply) => void replies.push(reply))
      app.get('/', cacheView({ backend }), async () => 'body')
    })
    const first = fetch(url)
    await reading.opened
    replies[0]?.hijack()
    go.open()
    expect(await (await fetch(url)).text()).toBe('body')
    replies[0]?.raw.end('own')
    expect(await (await first).text()).toBe('own')
  })

  it('lets others go on when an injected request is aborted during the read', async () => {
    const { backend, reading, go } = holdReads()
    const app = createApp()
    app.get('/', cacheView({ backend }), (_request, reply) => {
      if (!reply.raw.destroyed) void reply.send('body')
    })
    const leaving = new AbortController()
    const left = expect(app.inject({ url: '/', signal: leaving.signal })).rejects.toThrow('aborted')
    await reading.opened
    leaving.abort()
    await left
    go.open()
    expect((await app.inject('/')).body).toBe('body')
    await app.close()
  })

  it('does not make requests wait for one another where a handler answers past Fastify', async () => {
    const stuck = latch()
    let runs = 0
    const url = await start((app) => {
      app.get('/', cacheView({ backend: new InMemoryCache() }), (_request, reply) => {
        const run = (runs += 1)
        void (run === 2 ? stuck.opened : Promise.resolve()).then(() => reply.raw.end(`run ${run}`))
      })
    })
    expect(await (await fetch(url)).text()).toBe('run 1')
    const slow = fetch(url)
    await eventually(() => expect(runs).toBe(2))
    expect(await (await fetch(url)).text()).toBe('run 3')
    stuck.open()
    expect(await (await slow).text()).toBe('run 2')
  })

  it('leaves to Fastify the error for a Response whose body is used', async () => {
    const url = await start((app) => {
      app.get('/', cacheView({ backend: new InMemoryCache() }), async () => {
        const response = new Response('body')
        await response.text()
        return response
      })
    })
    for (let i = 0; i < 2; i++) {
      const response = await fetch(url)
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
        500,
        'FST_ERR_REP_RESPONSE_BODY_CONSUMED',
      ])
    }
  })

  it('answers with an error when a stream fails', async () => {
    const url = await start((app) => {
      app.get('/', cacheView({ backend: new InMemoryCache() }), async (_request, reply) =>
        reply.send(
          new Readable({
            read() {
              this.destroy(new Error('broken'))
            },
          }),
        ),
      )
    })
    const response = await fetch(url)
    expect([response.status, ((await response.json()) as Error).message]).toEqual([500, 'broken'])
  })

  it('refuses options that it does not know, and a route that is none', () => {
    expect(() => cacheView({ maxBodyByte: 1 } as object)).toThrow('did you mean "maxBodyBytes"?')
    expect(() => cacheView({}, 'GET' as never)).toThrow(
      'Expected the other options of the route to be an object',
    )
  })
})
