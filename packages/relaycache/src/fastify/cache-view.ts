import type { FastifyRequest, RouteGenericInterface } from 'fastify'
import { Lead } from '../http/lead.ts'
import { askForEverything, headerOf, headersOf, isOver, onceOver, text } from '../http/node-request.ts'
import { render, type Rendered } from '../http/render.ts'
import type { HeaderOf } from '../http/request-key.ts'
import { storedResponse, type HeaderValue } from '../http/stored-response.ts'
import type { CacheViewOptions } from '../http/view-options.ts'
import { View, type Answer, type Check } from '../http/view.ts'
import { describe } from '../options.ts'
import { readPayload, unwrapResponse } from './payload.ts'
import type { ViewReply, ViewRequest } from './exchange.ts'

/** The hooks of a route that make it a cached view. */
export interface ViewHooks {
  preHandler: (request: ViewRequest, reply: ViewReply, done: (error?: Error) => void) => void
  onSend: (request: ViewRequest, reply: ViewReply, payload: unknown) => Promise<unknown>
}

/** Options of a route with those hooks behind its own. */
export type CachedRoute<R> = Omit<R, keyof ViewHooks> & {
  [Hook in keyof ViewHooks]: (
    | ViewHooks[Hook]
    | (Hook extends keyof R ? OneOf<NonNullable<R[Hook]>> : never)
  )[]
}

type OneOf<T> = T extends readonly (infer One)[] ? One : T

/** A request whose handler runs on behalf of everyone who asks for the same. */
interface Leading {
  readonly lead: Lead
  readonly check: Check
  readonly header: HeaderOf
  readonly before: ReadonlyMap<string, HeaderValue>
  readonly restore: () => void
  readonly settled: () => Promise<unknown>
}

/**
 * Options of a route that make it a cached view. It caches responses of status 200, to GET requests without
 * `Authorization` and `Cookie`, and without `Set-Cookie`, `Cache-Control: no-store` or `private`, or `Vary: *`.
 * Concurrent requests for the same run the handler once; a request that begins after an invalidation never gets a
 * response whose handler began before it. Whatever is not cached, errors too, goes to its own client only.
 *
 * A cached response has a strong `ETag`, and is answered with 304 to a client that has it. It has `Age`, and
 * `X-Cache: HIT` or `MISS`. It is held back until its body is complete. The `preHandler` hooks of the route and the
 * hooks before them run for every request.
 *
 * @param route other options of the route
 * @throws {TypeError} for an unknown or ill-typed option
 * @throws {RangeError} when a number or a time is out of range
 * @example
 * app.get('/books', cacheView({ ttl: '30m', tags: ['books'] }), listBooks)
 * app.get('/news', cacheView({ ttl: '1m' }, { preHandler: checkRights }), listNews)
 */
export function cacheView<
  G extends RouteGenericInterface = RouteGenericInterface,
  const R extends object = object,
>(options: CacheViewOptions<[request: FastifyRequest<G>]>, route?: R): CachedRoute<R> {
  if (typeof (route ?? {}) !== 'object')
    throw new TypeError(`Expected the other options of the route to be an object, got ${describe(route)}`)
  const hooks = createHooks(new View(options))
  const own: { preHandler?: unknown; onSend?: unknown } = route ?? {}
  return {
    ...own,
    preHandler: [own.preHandler ?? [], hooks.preHandler].flat(),
    onSend: [own.onSend ?? [], hooks.onSend].flat(),
  } as unknown as CachedRoute<R>
}

function createHooks<G extends RouteGenericInterface>(view: View<[request: FastifyRequest<G>]>): ViewHooks {
  const leading = new WeakMap<ViewRequest, Leading>()

  const preHandler: ViewHooks['preHandler'] = (request, reply, done) => {
    const { method = 'GET' } = request.raw
    const header = headerOf(request.raw)
    if (!view.admits(method, header)) {
      done()
      return
    }
    let leads = false
    const isReplyOver = (): boolean => reply.sent || isOver(request.raw, reply.raw)
    const answered = view.answer({
      args: [request as FastifyRequest<G>],
      url: request.originalUrl,
      header,
      isOver: isReplyOver,
      run: (check) => {
        leads = true
        const lead = new Lead()
        const before = new Map(headersOf(reply.getHeaders()))
        const restore = askForEverything(request.raw)
        leading.set(request, { lead, check, header, before, restore, settled: () => answered })
        watch(request, reply, lead)
        done()
        return lead.response
      },
    })
    const proceed = async (): Promise<void> => {
      let answer: Answer | undefined
      try {
        answer = await answered
      } catch (error) {
        done(error as Error)
        return
      }
      if (leads || isReplyOver()) return
      if (answer) sendAnswer(reply, answer, { method, rendered: render(answer, header, view.options) })
      else done()
    }
    void proceed()
  }

  const onSend: ViewHooks['onSend'] = async (request, reply, given) => {
    const current = leading.get(request)
    if (!current) return given
    leading.delete(request)
    const { lead, check, header, before, restore, settled } = current
    restore()
    const payload = unwrapResponse(reply, given)
    try {
      const refusal = check({ status: reply.statusCode, header: (name) => text(reply.getHeader(name)) })
      const read = refusal ? { rest: payload } : await readPayload(payload, view.options.maxBodyBytes)
      if ('rest' in read) {
        lead.refuse(refusal ?? 'private')
        return read.rest
      }
      const stored = storedResponse(headersOf(reply.getHeaders()), read.bytes, before)
      lead.deliver(stored)
      await settled()
      const rendered = render({ stored, source: 'MISS' }, header, view.options)
      setHead(reply, rendered)
      // Fastify takes the length of a response to HEAD from its body, and then leaves the body out.
      return rendered.status === 304 && request.raw.method !== 'HEAD' ? null : Buffer.from(stored.body)
    } catch (error) {
      lead.refuse('failed')
      throw error
    }
  }

  return { preHandler, onSend }
}

/** Nobody waits for a response that does not come by the way of the hooks. */
function watch(request: ViewRequest, reply: ViewReply, lead: Lead): void {
  onceOver(request.raw, reply.raw, () => {
    if (reply.raw.writableEnded) lead.refuse('private')
    else lead.abandon()
  })
  const hijack = reply.hijack.bind(reply)
  reply.hijack = () => {
    lead.refuse('private')
    return hijack()
  }
}

function sendAnswer(
  reply: ViewReply,
  { stored }: Answer,
  { method, rendered }: { method: string; rendered: Rendered },
): void {
  for (const name of stored.removed) reply.removeHeader(name)
  setHead(reply, rendered)
  const body = method === 'HEAD' ? stored.body : rendered.body
  // For an empty payload Fastify adds no type.
  if (body.byteLength === 0) reply.send()
  else reply.send(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
}

function setHead(reply: ViewReply, { status, headers, cacheControl }: Rendered): void {
  reply.code(status)
  if (status === 304) reply.removeHeader('content-length')
  for (const [name, value] of headers) reply.header(name, value)
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', cacheControl)
}
