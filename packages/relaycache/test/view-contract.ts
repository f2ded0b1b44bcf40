import { randomBytes } from 'node:crypto'
import { request as nodeRequest } from 'node:http'
import { eventually } from '@outrider/test-kit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CacheViewOptions } from '../src/http/index.ts'
import { invalidate, type CacheBackend } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { latch } from './latch.ts'

/** What every framework can be given: no functions of the request but those of the path. */
export type SharedOptions = Omit<CacheViewOptions<[]>, 'tags' | 'keyFunc'> & {
  readonly tags?: readonly string[] | ((path: string) => readonly string[])
  readonly keyFunc?: (path: string) => string
}

/** A request as the handlers of these tests see it. */
export interface Asked {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly header: (name: string) => string | undefined
}

/** What the handlers of these tests answer. A body in pieces is sent as a stream. */
export interface Answered {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | readonly string[]
}

export type Handle = (asked: Asked) => Answered | Promise<Answered>

export interface RunningServer {
  readonly url: string
  close(): Promise<void>
}

/** Starts a server that answers every path and method through one cached view. */
export type Serve = (options: SharedOptions, handle: Handle) => Promise<RunningServer>

/** The suite of cached views, with both backends. */
export function describeViews(framework: string, serve: Serve): void {
  describeEachBackend(framework, (create) => cachedViews(serve, create))
}

function cachedViews(serve: Serve, createBackend: () => CacheBackend): void {
  let backend: CacheBackend
  let servers: RunningServer[]
  /** How often a handler began to run. */
  let runs: number
  beforeEach(() => {
    backend = createBackend()
    servers = []
    runs = 0
  })
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.close()))
  })

  const start = async (handle: Handle, options: SharedOptions = {}): Promise<string> => {
    const counting: Handle = (asked) => {
      runs += 1
      return handle(asked)
    }
    const server = await serve({ backend, ...options }, counting)
    servers.push(server)
    return server.url
  }
  const xCache = (response: Response): string | null => response.headers.get('x-cache')

  it('runs the handler once, and answers others from the cache with ETag, Age and X-Cache', async () => {
    const url = await start(() => ({
      headers: { 'content-type': 'text/css; charset=utf-8', 'x-own': '1' },
      body: `run ${runs}`,
    }))
    const first = await fetch(`${url}/a`)
    const second = await fetch(`${url}/a`)
    expect(await first.text()).toBe('run 1')
    expect(await second.text()).toBe('run 1')
    expect(runs).toBe(1)
    expect([xCache(first), xCache(second)]).toEqual(['MISS', 'HIT'])
    for (const { status, headers } of [first, second]) {
      expect(status).toBe(200)
      expect(headers.get('etag')).toMatch(/^"[\w-]{43}"$/)
      expect(headers.get('age')).toMatch(/^\d+$/)
      expect(headers.get('content-type')).toBe('text/css; charset=utf-8')
      expect(headers.get('content-length')).toBe('5')
      expect(headers.get('x-own')).toBe('1')
    }
    expect(first.headers.get('etag')).toBe(second.headers.get('etag'))
  })

  it('keeps paths and queries apart, and sorts parameters by name', async () => {
    const url = await start(({ url: asked }) => ({ body: asked }))
    const bodyOf = async (path: string): Promise<string> => (await fetch(url + path)).text()
    expect(await bodyOf('/a?x=1&y=2')).toBe('/a?x=1&y=2')
    expect(await bodyOf('/a?y=2&x=1')).toBe('/a?x=1&y=2')
    const different = ['/a', '/b', '/a?x=1&x=2', '/a?x=2&x=1', '/a?x=%ff', '/a?x=%fe', '/a?x=1%26y=2', '/a/']
    for (const path of different) expect(await bodyOf(path)).toBe(path)
    for (const path of different) expect(await bodyOf(path)).toBe(path)
    expect(runs).toBe(1 + different.length)
  })

  it('serves what was invalidated softly to others while one request runs the handler', async () => {
    const running = latch()
    const url = await start(
      async () => {
        const run = runs
        if (run === 2) await running.opened
        return { body: `run ${run}` }
      },
      { tags: ['pages'] },
    )
    await fetch(url)
    await invalidate({ tags: ['pages'], backend, soft: true })
    const first = fetch(url)
    await eventually(() => expect(runs).toBe(2))
    expect(await (await fetch(url)).text()).toBe('run 1')
    running.open()
    expect((await first).status).toBe(200)
    await eventually(async () => expect(await (await fetch(url)).text()).toBe('run 2'))
    expect(runs).toBe(2)
  })

  it('uses the key of keyFunc', async () => {
    const url = await start(() => ({ body: `run ${runs}` }), { keyFunc: (path) => `page:${path.length}` })
    expect(await (await fetch(`${url}/a`)).text()).toBe('run 1')
    expect(await (await fetch(`${url}/b`)).text()).toBe('run 1')
    expect(await (await fetch(`${url}/bb`)).text()).toBe('run 2')
    expect(await backend.has('page:2')).toBe(true)
  })

  it('runs the handler for each request where the key holds something else', async () => {
    await backend.set('books', ['Dune'])
    const url = await start(() => ({ body: `run ${runs}` }), { keyFunc: () => 'books' })
    for (const body of ['run 1', 'run 2']) expect(await (await fetch(url)).text()).toBe(body)
    expect(await backend.get('books')).toEqual({ hit: true, value: ['Dune'] })
  })

  it('answers 304 with the same headers to a client that has the response', async () => {
    const seen: (string | undefined)[] = []
    const url = await start(({ header }) => {
      seen.push(header('if-none-match'))
      return { headers: { 'content-type': 'text/css; charset=utf-8', 'x-own': '1' }, body: 'body' }
    })
    const etag = String((await fetch(url)).headers.get('etag'))
    await backend.clear()
    // The first of these is a miss.
    for (const condition of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await fetch(url, { headers: { 'if-none-match': condition } })
      expect(response.status).toBe(304)
      expect(await response.text()).toBe('')
      expect(response.headers.get('etag')).toBe(etag)
      expect(response.headers.get('x-own')).toBe('1')
      expect(response.headers.get('cache-control')).toBe('max-age=0, must-revalidate')
    }
    expect((await fetch(url, { headers: { 'if-none-match': '"other"' } })).status).toBe(200)
    expect(seen).toEqual([undefined, undefined])
  })

  it.each([
    ['content-type', ['text/plain', 'application/json']],
    ['content-language', ['de', 'en']],
    ['content-encoding', ['x-one', 'x-two']],
  ])('has another ETag for the same body with another %s', async (name, values) => {
    const url = await start(
      ({ header }) => ({ headers: { [name]: String(header('x-wanted')) }, body: 'same' }),
      { vary: ['x-wanted'] },
    )
    const ask = (wanted: string | undefined, condition = '""'): Promise<Response> =>
      fetch(url, { headers: { 'x-wanted': String(wanted), 'if-none-match': condition } })
    const etag = String((await ask(values[0])).headers.get('etag'))
    expect((await ask(values[0], etag)).status).toBe(304)
    const other = await ask(values[1], etag)
    expect([other.status, other.headers.get('etag')]).toEqual([200, expect.not.stringContaining(etag)])
  })

  it('answers If-Modified-Since where the response has a Last-Modified', async () => {
    const modified = 'Tue, 02 Jan 2024 00:00:00 GMT'
    const url = await start(() => ({ headers: { 'last-modified': modified }, body: 'body' }))
    const since = async (time: string): Promise<number> =>
      (await fetch(url, { headers: { 'if-modified-since': time } })).status
    expect(await since(modified)).toBe(304)
    expect(await since('Mon, 01 Jan 2024 00:00:00 GMT')).toBe(200)
    expect(await since('never')).toBe(200)
    expect(runs).toBe(1)
  })

  it('answers HEAD like GET without the body, from one entry', async () => {
    const url = await start(({ method }) => ({ body: `${method} ${runs}` }))
    const head = await fetch(url, { method: 'HEAD' })
    const get = await fetch(url)
    expect(await head.text()).toBe('')
    expect(await get.text()).toBe('GET 1')
    const again = await fetch(url, { method: 'HEAD' })
    for (const name of ['etag', 'content-length', 'content-type'])
      expect([head.headers.get(name), again.headers.get(name)]).toEqual([
        get.headers.get(name),
        get.headers.get(name),
      ])
    expect([head, get, again].map(xCache)).toEqual(['MISS', 'HIT', 'HIT'])
    const known = await fetch(url, {
      method: 'HEAD',
      headers: { 'if-none-match': String(get.headers.get('etag')) },
    })
    expect(known.status).toBe(304)
  })

  it('answers a HEAD request for what is not cached without a body', async () => {
    const url = await start(() => ({ headers: { 'cache-control': 'private' }, body: ['much ', 'text'] }))
    for (let i = 0; i < 2; i++) {
      const response = await fetch(url, { method: 'HEAD' })
      expect([response.status, await response.text(), xCache(response)]).toEqual([200, '', null])
    }
    expect(runs).toBe(2)
  })

  it('keeps every byte, and an empty body', async () => {
    const bytes = Uint8Array.from([...Array.from({ length: 256 }, (_, byte) => byte), ...randomBytes(10_000)])
    const url = await start(({ url: path }) => ({
      headers: { 'content-type': 'image/png' },
      body: path === '/empty' ? '' : bytes,
    }))
    for (let i = 0; i < 2; i++) {
      const response = await fetch(url)
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
      const empty = await fetch(`${url}/empty`)
      expect([await empty.text(), empty.headers.get('content-length')]).toEqual(['', '0'])
    }
    expect(runs).toBe(2)
  })

  it('keeps a response that is sent in pieces', async () => {
    const url = await start(() => ({ body: ['one ', 'two ', 'dreißig'] }))
    for (let i = 0; i < 2; i++) expect(await (await fetch(url)).text()).toBe('one two dreißig')
    expect(runs).toBe(1)
  })

  it('runs the handler once for concurrent requests', async () => {
    const running = latch()
    const url = await start(async () => {
      await running.opened
      return { body: `run ${runs}` }
    })
    const responses = Array.from({ length: 30 }, () => fetch(url))
    await eventually(() => expect(backend.counters.coalesced + backend.counters.misses).toBe(30))
    running.open()
    const all = await Promise.all(responses)
    expect(new Set(await Promise.all(all.map((response) => response.text())))).toEqual(new Set(['run 1']))
    expect(all.map(xCache).filter((value) => value === 'MISS')).toHaveLength(1)
  })

  it('never answers a request with what began before an invalidation that it came after', async () => {
    const running = latch()
    const url = await start(
      async () => {
        const run = runs
        if (run === 1) await running.opened
        return { body: `run ${run}` }
      },
      { tags: (path) => [`page:${path}`, 'pages'] },
    )
    const early = fetch(`${url}/a`)
    await eventually(() => expect(runs).toBe(1))
    await invalidate({ tags: ['page:/a'], backend })
    expect(await (await fetch(`${url}/a`)).text()).toBe('run 2')
    running.open()
    expect(await (await early).text()).toBe('run 1')
    expect(await (await fetch(`${url}/a`)).text()).toBe('run 2')
    await invalidate({ tags: ['page:/b'], backend })
    expect(await (await fetch(`${url}/a`)).text()).toBe('run 2')
    await invalidate({ tags: ['pages'], backend })
    expect(await (await fetch(`${url}/a`)).text()).toBe('run 3')
  })

  describe('runs the handler for every request, also for concurrent ones, when the response', () => {
    const large = 'x'.repeat(2000)
    it.each<[string, Answered]>([
      ['sets a cookie', { headers: { 'set-cookie': 'session=1' } }],
      ['says no-store', { headers: { 'cache-control': 'max-age=60, No-Store' } }],
      ['says private', { headers: { 'cache-control': 'private' } }],
      ['names private headers', { headers: { 'cache-control': 'private="x-user", max-age=60' } }],
      ['varies by everything', { headers: { vary: 'Accept, *' } }],
      ['announces a trailer', { headers: { trailer: 'x-checksum' }, body: ['much ', 'text'] }],
      ['is longer than maxBodyBytes', { body: large }],
      ['is a stream longer than maxBodyBytes', { body: [large.slice(0, 900), large.slice(900)] }],
      ['is not found', { status: 404 }],
      ['redirects', { status: 302, headers: { location: '/elsewhere' } }],
      ['is an error', { status: 500 }],
    ])('%s', async (_, answer) => {
      let waiting = 0
      const everybody = latch()
      const url = await start(
        async () => {
          const run = runs
          waiting += 1
          await everybody.opened
          return { ...answer, headers: { ...answer.headers, 'x-run': `${run}` } }
        },
        { maxBodyBytes: 1000 },
      )
      const responses = Array.from({ length: 5 }, () => fetch(url, { redirect: 'manual' }))
      await eventually(() => expect(backend.counters.coalesced + backend.counters.misses).toBe(5))
      expect(waiting).toBe(1)
      everybody.open()
      const all = [...(await Promise.all(responses)), await fetch(url, { redirect: 'manual' })]
      expect(new Set(all.map(({ headers }) => headers.get('x-run'))).size).toBe(6)
      const body = [answer.body ?? ''].flat().join('')
      for (const response of all) {
        expect(response.status).toBe(answer.status ?? 200)
        expect(await response.text()).toBe(body)
        expect([xCache(response), response.headers.get('age')]).toEqual([null, null])
        for (const [name, value] of Object.entries(answer.headers ?? {}))
          expect(response.headers.get(name)).toBe(value)
      }
    })
  })

  it('does not make requests for private responses wait for one another', async () => {
    const running = latch()
    const url = await start(async () => {
      const run = runs
      if (run === 2) await running.opened
      return { headers: { 'cache-control': 'private' }, body: `run ${run}` }
    })
    await fetch(url)
    const slow = fetch(url)
    await eventually(() => expect(runs).toBe(2))
    expect(await (await fetch(url)).text()).toBe('run 3')
    running.open()
    expect(await (await slow).text()).toBe('run 2')
  })

  it('does not cache what is for a user who is logged in', async () => {
    const url = await start(({ header }) => ({
      body: `${header('authorization')} ${header('cookie')} ${runs}`,
    }))
    const as = async (headers: Record<string, string>): Promise<string> =>
      (await fetch(url, { headers })).text()
    expect(await as({})).toBe('undefined undefined 1')
    expect(await as({ authorization: 'Basic a' })).toBe('Basic a undefined 2')
    expect(await as({ authorization: 'Basic a' })).toBe('Basic a undefined 3')
    expect(await as({ cookie: 'a=1' })).toBe('undefined a=1 4')
    expect(await as({ cookie: 'a=2' })).toBe('undefined a=2 5')
    expect(await as({})).toBe('undefined undefined 1')
  })

  it('shares responses between users when told so, unless the handler or a header says otherwise', async () => {
    const url = await start(
      ({ header, url: path }) => ({
        headers:
          path === '/private'
            ? { 'cache-control': 'private' }
            : path === '/own'
              ? { vary: 'Cookie' }
              : { 'x-a': '1' },
        body: `${header('cookie')} ${runs}`,
      }),
      { authenticated: true },
    )
    const as = async (path: string, cookie: string): Promise<string> =>
      (await fetch(url + path, { headers: { cookie } })).text()
    expect([await as('/', 'a=1'), await as('/', 'a=2')]).toEqual(['a=1 1', 'a=1 1'])
    expect([await as('/private', 'a=1'), await as('/private', 'a=2')]).toEqual(['a=1 2', 'a=2 3'])
    // The view learns from the first response that cookies matter.
    expect([await as('/own', 'a=1'), await as('/own', 'a=1'), await as('/own', 'a=2')]).toEqual([
      'a=1 4',
      'a=1 5',
      'a=2 6',
    ])
    expect([await as('/own', 'a=1'), await as('/own', 'a=2')]).toEqual(['a=1 5', 'a=2 6'])
    const response = await fetch(url, { headers: { cookie: 'a=1' } })
    expect(response.headers.get('cache-control')).toBe('private, max-age=0, must-revalidate')
  })

  it.each([['POST'], ['PUT'], ['DELETE']])('passes %s requests to the handler', async (method) => {
    const url = await start(({ method: asked }) => ({ body: `${asked} ${runs}` }))
    await fetch(url)
    for (const run of [2, 3]) {
      const response = await fetch(url, { method, headers: { 'if-none-match': '*' } })
      expect([response.status, await response.text(), xCache(response)]).toEqual([
        200,
        `${method} ${run}`,
        null,
      ])
    }
  })

  it('passes requests for a part to the handler', async () => {
    const url = await start(({ header }) => ({ body: header('range') ?? 'whole' }))
    await fetch(url)
    expect(await (await fetch(url, { headers: { range: 'bytes=0-1' } })).text()).toBe('bytes=0-1')
    expect(await (await fetch(url)).text()).toBe('whole')
  })

  it('keeps apart what a response says it varies by, also for concurrent requests', async () => {
    const url = await start(({ header }) => ({
      headers: { vary: 'Accept-Language, Accept' },
      body: `${header('accept-language')} ${header('accept')}`,
    }))
    const languages = ['de', 'en', 'fr', 'de', 'en', 'fr', 'de', 'en', 'fr']
    let runsBefore = 0
    for (let round = 0; round < 3; round++) {
      runsBefore = runs
      const bodies = languages.map(async (language) => {
        const response = await fetch(url, { headers: { 'accept-language': language, accept: 'a/b' } })
        return response.text()
      })
      expect(await Promise.all(bodies)).toEqual(languages.map((language) => `${language} a/b`))
    }
    // All are cached by then, whoever found out what counts.
    expect(runs).toBe(runsBefore)
    expect(await (await fetch(url, { headers: { 'accept-language': 'de', accept: 'c/d' } })).text()).toBe(
      'de c/d',
    )
  })

  it.each([
    [20, [null, 'MISS', 'HIT']],
    [21, [null, null, null]],
  ])('when responses vary by %i headers has X-Cache %j', async (count, expected) => {
    const vary = Array.from({ length: count }, (_, index) => `x-${index}`).join()
    const url = await start(() => ({ headers: { vary }, body: 'body' }))
    const seen: (string | null)[] = []
    for (let i = 0; i < 3; i++) seen.push(xCache(await fetch(url)))
    expect(seen).toEqual(expected)
  })

  it('gives no age below 0 where the clock that stored a response is ahead', async () => {
    const url = await start(() => ({ body: 'body' }), { clientTtl: '1m' })
    await fetch(url)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
    try {
      const { headers } = await fetch(url)
      expect(['x-cache', 'age', 'cache-control'].map((name) => headers.get(name))).toEqual([
        'HIT',
        '0',
        'max-age=60',
      ])
    } finally {
      vi.useRealTimers()
    }
  })

  it('keeps apart the headers that the options name', async () => {
    const url = await start(({ header }) => ({ body: `${header('x-tenant')} ${runs}` }), {
      vary: ['X-Tenant'],
    })
    const as = async (tenant: string): Promise<string> =>
      (await fetch(url, { headers: { 'x-tenant': tenant } })).text()
    expect([await as('a'), await as('b'), await as('a'), await as('b')]).toEqual(['a 1', 'b 2', 'a 1', 'b 2'])
    expect(await (await fetch(url)).text()).toBe('undefined 3')
  })

  it('leaves errors to the framework, for each request its own, and caches what comes after', async () => {
    let broken = true
    const everybody = latch()
    const url = await start(async () => {
      const run = runs
      await everybody.opened
      if (broken) throw new Error(`failed ${run}`)
      return { body: 'repaired' }
    })
    const responses = Array.from({ length: 3 }, () => fetch(url))
    await eventually(() => expect(backend.counters.coalesced + backend.counters.misses).toBe(3))
    everybody.open()
    const all = await Promise.all(responses)
    expect(all.map(({ status }) => status)).toEqual([500, 500, 500])
    expect(new Set(await Promise.all(all.map((response) => response.text()))).size).toBe(3)
    broken = false
    const after = [await fetch(url), await fetch(url)]
    expect(after.map(xCache)).toEqual(['MISS', 'HIT'])
    expect(runs).toBe(4)
  })

  it('answers those who wait although the client for whom the handler ran went away', async () => {
    const running = latch()
    const url = await start(async () => {
      await running.opened
      return { body: 'body' }
    })
    const leaving = nodeRequest(url).on('error', () => undefined)
    leaving.end()
    await eventually(() => expect(runs).toBe(1))
    const waiting = [fetch(url), fetch(url)]
    await eventually(() => expect(backend.counters.coalesced).toBe(2))
    leaving.destroy()
    running.open()
    const responses = await Promise.all(waiting)
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(['body', 'body'])
    expect(runs).toBeLessThanOrEqual(2)
  })

  it('lets clients ask each time, or as the handler or clientTtl says', async () => {
    const cacheControl = async (
      options: SharedOptions,
      headers: Record<string, string> = {},
    ): Promise<unknown> => {
      backend = createBackend()
      const url = await start(() => ({ headers, body: 'body' }), options)
      const both = [await fetch(url), await fetch(url)]
      return both.map((response) => response.headers.get('cache-control'))
    }
    expect(await cacheControl({})).toEqual(Array(2).fill('max-age=0, must-revalidate'))
    expect(await cacheControl({ clientTtl: '1m' })).toEqual([
      'max-age=60',
      expect.stringMatching(/^max-age=6\d$/),
    ])
    expect(await cacheControl({ clientTtl: '1h', ttl: 10 })).toEqual([
      'max-age=10',
      expect.stringMatching(/^max-age=\d+$/),
    ])
    expect(await cacheControl({ clientTtl: '1m' }, { 'cache-control': 'public, max-age=5' })).toEqual(
      Array(2).fill('public, max-age=5'),
    )
  })
}
