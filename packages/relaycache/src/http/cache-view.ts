import { describe } from '../options.ts'
import { NotStored } from './not-stored.ts'
import { readBody } from './read-body.ts'
import { render } from './render.ts'
import type { HeaderOf } from './request-key.ts'
import { storedResponse, type StoredResponse } from './stored-response.ts'
import type { CacheViewOptions } from './view-options.ts'
import { View, type Answer, type Check } from './view.ts'

/** What a handler gave: a response or an error, for the request that ran it and nobody else. */
type Result = { readonly response: Response } | { readonly error: unknown }

/**
 * Caches the responses of a fetch handler: of status 200, to GET requests without `Authorization` and `Cookie`, and
 * without `Set-Cookie`, `Cache-Control: no-store` or `private`, or `Vary: *`. Concurrent requests for the same run the
 * handler once; a request that begins after an invalidation never gets a response whose handler began before it.
 * Whatever is not cached, errors too, goes to its own client only: the handler runs for each request.
 *
 * A cached response has a strong `ETag`, and is answered with 304 to a client that has it. It has `Age`, and
 * `X-Cache: HIT` or `MISS`. It is held back until its body is complete.
 *
 * @throws {TypeError} for an unknown or ill-typed option
 * @throws {RangeError} when a number or a time is out of range
 * @example
 * const bookList = cacheView({ ttl: '30m', tags: ['books'], backend })(
 *   async (request: Request) => Response.json(await findBooks(new URL(request.url).searchParams)),
 * )
 */
export function cacheView<O extends unknown[]>(
  options: CacheViewOptions<[request: Request, ...O]>,
): <A extends [...O, ...unknown[]]>(
  handler: (request: Request, ...args: A) => Response | Promise<Response>,
) => (request: Request, ...args: A) => Promise<Response> {
  const view = new View(options)
  return (handler) => {
    if (typeof handler !== 'function')
      throw new TypeError(`Expected a handler to cache, got ${describe(handler)}`)
    return async (request, ...args) => {
      const header: HeaderOf = (name) => request.headers.get(name) ?? undefined
      const asked = view.admits(request.method, header) ? forEveryone(request) : undefined
      if (!asked) return handler(request, ...args)
      let own: Result | undefined
      const { pathname, search } = new URL(request.url)
      const answer = await view.answer({
        args: [request, ...args] as unknown as [request: Request, ...O],
        url: `${pathname}${search}`,
        header,
        run: async (check) => {
          const ran = await run(async () => handler(asked, ...args), check, view.options.maxBodyBytes)
          if (ran.stored) return ran.stored
          own = ran.own
          throw new NotStored(request.signal.aborted ? 'abandoned' : ran.refusal)
        },
      })
      if (answer) return toResponse(view, answer, request.method, header)
      if (!own) return handler(request, ...args)
      if ('error' in own) throw own.error
      return request.method === 'HEAD' ? withoutBody(own.response) : own.response
    }
  }
}

type Ran =
  | { readonly stored: StoredResponse }
  | { readonly stored?: never; readonly own: Result; readonly refusal: NotStored['refusal'] }

async function run(handle: () => Promise<Response>, check: Check, maxBodyBytes: number): Promise<Ran> {
  try {
    const response = checkResponse(await handle())
    const header: HeaderOf = (name) => response.headers.get(name) ?? undefined
    const refusal = check({ status: response.status, header })
    if (refusal) return { own: { response }, refusal }
    const body = response.body ? await readBody(response.body, maxBodyBytes) : { bytes: new Uint8Array() }
    if ('bytes' in body) return { stored: storedResponse(response.headers, body.bytes) }
    return { own: { response: new Response(body.rest, response) }, refusal: 'private' }
  } catch (error) {
    return { own: { error }, refusal: 'failed' }
  }
}

/** Told by its shape: a framework may have a class of its own. */
function checkResponse(response: unknown): Response {
  if (typeof response === 'object' && response !== null && 'status' in response && 'headers' in response)
    return response as Response
  throw new TypeError(`Expected the handler to return a Response, got ${describe(response)}`)
}

async function withoutBody(response: Response): Promise<Response> {
  await response.body?.cancel()
  return new Response(null, response)
}

/**
 * The request as its handler must see it for everyone to get a whole response: GET, and without conditions.
 * `undefined` for a HEAD request of a framework's own class, which cannot be made anew.
 */
function forEveryone(request: Request): Request | undefined {
  const isConditional = request.headers.has('if-none-match') || request.headers.has('if-modified-since')
  if (request.method !== 'HEAD' && !isConditional) return request
  // A handler that answers 304 itself is not cached for that request; that is all.
  if (Object.getPrototypeOf(request) !== Request.prototype)
    return request.method === 'HEAD' ? undefined : request
  const headers = new Headers(request.headers)
  headers.delete('if-none-match')
  headers.delete('if-modified-since')
  return new Request(request, { method: 'GET', headers })
}

function toResponse<A extends readonly unknown[]>(
  view: View<A>,
  answer: Answer,
  method: string,
  header: HeaderOf,
): Response {
  const { status, headers, cacheControl, body } = render(answer, header, view.options)
  const given = new Headers(headers.map(([name, value]) => [name, String(value)]))
  if (!given.has('cache-control')) given.set('cache-control', cacheControl)
  const hasBody = method !== 'HEAD' && status !== 304
  return new Response(hasBody ? new Uint8Array(body) : null, { status, headers: given })
}
