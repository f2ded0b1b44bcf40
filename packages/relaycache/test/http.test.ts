import { describe, expect, it } from 'vitest'
import { cacheView } from '../src/http/index.ts'
import { InMemoryCache, invalidate } from '../src/index.ts'
import { serveFetch } from './serve-fetch.ts'
import { describeViews, type Answered, type Handle } from './view-contract.ts'

const pathOf = (request: Request): string => {
  const { pathname, search } = new URL(request.url)
  return pathname + search
}

function toFetchHandler(handle: Handle): (request: Request) => Promise<Response> {
  return async (request) => {
    const header = (name: string): string | undefined => request.headers.get(name) ?? undefined
    return toResponse(await handle({ method: request.method, url: pathOf(request), header }))
  }
}

function toResponse({ status = 200, headers = {}, body = '' }: Answered): Response {
  if (typeof body === 'string') return new Response(body, { status, headers })
  if (body instanceof Uint8Array) return new Response(new Uint8Array(body), { status, headers })
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of body) controller.enqueue(Buffer.from(piece))
      controller.close()
    },
  })
  return new Response(stream, { status, headers })
}

describeViews('a fetch handler', ({ tags, keyFunc, ...options }, handle) => {
  const view = cacheView({
    ...options,
    tags: (request: Request) => (typeof tags === 'function' ? tags(pathOf(request)) : (tags ?? [])),
    keyFunc: keyFunc && ((request: Request) => keyFunc(pathOf(request))),
  })
  return serveFetch(view(toFetchHandler(handle)))
})

describe('cacheView() for fetch handlers', () => {
  const get = (path: string, init?: RequestInit): Request => new Request(`http://localhost${path}`, init)

  it('gives tags and keyFunc all the arguments of the handler', async () => {
    const backend = new InMemoryCache()
    let runs = 0
    const view = cacheView({
      ttl: 1800,
      backend,
      tags: (_request: Request, slug: string) => [`book_page:${slug}`, 'book_pages'],
      keyFunc: (_request, slug) => `book_list:${slug}`,
    })(async (_request, slug: string) => new Response(`${slug} ${(runs += 1)}`))
    expect(await (await view(get('/scifi'), 'scifi')).text()).toBe('scifi 1')
    expect(await (await view(get('/?page=1'), 'scifi')).text()).toBe('scifi 1')
    expect(await (await view(get('/crime'), 'crime')).text()).toBe('crime 2')
    await invalidate({ tags: ['book_page:scifi'], backend })
    expect(await (await view(get('/scifi'), 'scifi')).text()).toBe('scifi 3')
    expect(await (await view(get('/crime'), 'crime')).text()).toBe('crime 2')
  })

  it('passes on a stream without an end as it comes', async () => {
    const view = cacheView({ backend: new InMemoryCache() })(
      () =>
        new Response(
          new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('data: 1\n\n')) }),
          {
            headers: { 'content-type': 'text/event-stream; charset=utf-8' },
          },
        ),
    )
    const reader = (await view(get('/events'))).body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('data: 1\n\n')
    await reader?.cancel()
  })

  it('passes on at once what says that it is longer than maxBodyBytes', async () => {
    const view = cacheView({ backend: new InMemoryCache(), maxBodyBytes: 1000 })(
      () =>
        new Response(
          new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('first')) }),
          {
            headers: { 'content-length': '1001' },
          },
        ),
    )
    const reader = (await view(get('/'))).body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('first')
    await reader?.cancel()
  })

  it('rejects with what the handler, its body, keyFunc or tags throw', async () => {
    const error = new Error('no')
    const fail = (): never => {
      throw error
    }
    const backend = new InMemoryCache()
    const answer = (): Response => new Response('body')
    await expect(cacheView({ backend })(fail)(get('/'))).rejects.toBe(error)
    await expect(cacheView({ backend, keyFunc: fail })(answer)(get('/'))).rejects.toBe(error)
    await expect(cacheView({ backend, tags: fail })(answer)(get('/'))).rejects.toBe(error)
    const broken = cacheView({ backend })(
      () => new Response(new ReadableStream({ pull: (controller) => controller.error(error) })),
    )
    await expect(broken(get('/'))).rejects.toBe(error)
    await expect(cacheView({ backend, keyFunc: () => '' })(answer)(get('/'))).rejects.toThrow(
      "Expected keyFunc to return a string that is not empty, got ''",
    )
    await expect(cacheView({ backend })(() => 'text' as never)(get('/'))).rejects.toThrow(
      "Expected the handler to return a Response, got 'text' (string)",
    )
  })

  it("keeps a request of a framework's own class", async () => {
    class OwnRequest extends Request {
      readonly own = true
    }
    const view = cacheView({ backend: new InMemoryCache() })((request) => {
      expect(request).toBeInstanceOf(OwnRequest)
      return new Response(request.method)
    })
    const own = (init?: RequestInit): Request => new OwnRequest('http://localhost/', init)
    const head = await view(own({ method: 'HEAD' }))
    expect(head.headers.has('x-cache')).toBe(false)
    const first = await view(own({ headers: { 'if-none-match': '"x"' } }))
    expect(await first.text()).toBe('GET')
    expect((await view(own())).headers.get('x-cache')).toBe('HIT')
  })

  it.each<[object, typeof TypeError, string]>([
    [{ tll: 1 }, TypeError, 'Unknown option "tll" of cacheView; did you mean "ttl"?'],
    [{ ttl: 0 }, RangeError, 'Expected ttl to be a number of seconds'],
    [{ clientTtl: -1 }, RangeError, 'Expected clientTtl to be a number of seconds'],
    [{ tags: 'books' }, TypeError, 'Expected tags to be an array of strings'],
    [{ keyFunc: 'books' }, TypeError, "Expected keyFunc to be a function, got 'books' (string)"],
    [{ backend: {} }, TypeError, 'Expected backend to be a cache backend'],
    [{ vary: 'accept' }, TypeError, "Expected vary to be an array of header names, got 'accept' (string)"],
    [{ vary: ['a b'] }, TypeError, "Expected vary to hold header names, got 'a b' (string)"],
    [{ authenticated: 'yes' }, TypeError, "Expected authenticated to be true or false, got 'yes' (string)"],
    [{ maxBodyBytes: 0 }, RangeError, 'Expected maxBodyBytes to be an integer > 0, got 0 (number)'],
  ])('refuses the options %j', (options, type, message) => {
    expect(() => cacheView(options)).toThrow(type)
    expect(() => cacheView(options)).toThrow(message)
  })

  it('refuses options and handlers that are none', () => {
    expect(() => cacheView(undefined as never)).toThrow('Expected the options of cacheView to be an object')
    expect(() => cacheView({})('handler' as never)).toThrow(
      "Expected a handler to cache, got 'handler' (string)",
    )
  })
})
