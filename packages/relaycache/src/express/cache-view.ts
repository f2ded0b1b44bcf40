import type { Request, RequestHandler } from 'express'
import { headerOf, isOver } from '../http/node-request.ts'
import { render } from '../http/render.ts'
import type { CacheViewOptions } from '../http/view-options.ts'
import { View } from '../http/view.ts'
import { Recording } from './recording.ts'
import { sendHead } from './send.ts'

/**
 * Middleware that caches the responses of the handlers behind it: of status 200, to GET requests without
 * `Authorization` and `Cookie`, and without `Set-Cookie`, `Cache-Control: no-store` or `private`, or `Vary: *`.
 * Concurrent requests for the same run the handlers once; a request that begins after an invalidation never gets a
 * response whose handlers began before it. Whatever is not cached, errors too, goes to its own client only.
 *
 * A cached response has a strong `ETag`, and is answered with 304 to a client that has it. It has `Age`, and
 * `X-Cache: HIT` or `MISS`. It is held back until its body is complete. What middleware in front of this one sets is
 * not part of it.
 *
 * @throws {TypeError} for an unknown or ill-typed option
 * @throws {RangeError} when a number or a time is out of range
 * @example
 * app.get('/books/:slug', cacheView({ ttl: '30m', tags: ({ params }) => [`book:${params['slug']}`] }), showBook)
 */
export function cacheView<P = Record<string, string | string[]>>(
  options: CacheViewOptions<[request: Request<P>]>,
): RequestHandler<P> {
  const view = new View(options)
  const { maxBodyBytes } = view.options
  return async (request, response, next) => {
    const header = headerOf(request)
    if (!view.admits(request.method, header)) {
      next()
      return
    }
    let recording: Recording | undefined
    const answered = view.answer({
      args: [request],
      url: request.originalUrl,
      header,
      isOver: () => isOver(request, response),
      run: (check) => {
        recording = new Recording(response, {
          check,
          maxBodyBytes,
          render: (stored) => render({ stored, source: 'MISS' }, header, view.options),
          settled: () => answered,
        })
        next()
        return recording.lead.response
      },
    })
    const answer = await answered
    if (recording || isOver(request, response)) return
    if (!answer) {
      next()
      return
    }
    for (const name of answer.stored.removed) response.removeHeader(name)
    response.end(sendHead(response, render(answer, header, view.options)))
  }
}
