import type { FastifyInstance, FastifyRequest } from 'fastify'
import { cacheView, type CacheViewOptions } from '@outrider/relaycache/fastify'
import type { Render } from '../render.ts'
import type { Site } from '../site.ts'
import { Trace } from '../trace.ts'
import type { QueryValue } from './address.ts'

/** What the pages are made with. */
export interface PageContext {
  readonly site: Site
  readonly render: Render
}

/** What one page shows: its template, the title of the document, and what the template needs. */
export interface PageContent {
  readonly view: string
  readonly title: string
  readonly data: object
}

interface PageRoute {
  readonly Params: Readonly<Record<string, string>>
  readonly Querystring: Readonly<Record<string, QueryValue>>
}
type PageRequest = FastifyRequest<PageRoute>

/** How a page is kept as a whole, for everyone who sends no credentials. */
export type PageCaching = Omit<CacheViewOptions<[request: PageRequest]>, 'backend'>

/** Registers a page: notes the view, makes the content, and shows at its foot how that went. */
export function page(
  app: FastifyInstance,
  path: string,
  { site, render }: PageContext,
  content: (trace: Trace, request: PageRequest) => Promise<PageContent>,
  caching?: PageCaching,
): void {
  const traces = new WeakMap<object, Trace>()
  const preHandler = async (request: FastifyRequest): Promise<void> => {
    const trace = new Trace()
    traces.set(request, trace)
    if (request.method !== 'GET') return
    await trace.step({ package: 'sqlite-worker', operation: 'insert', target: 'page_views' }, () =>
      site.analytics.logView(request.url.split('?', 1)[0] ?? ''),
    )
  }
  const isKept = caching !== undefined
  const options = isKept
    ? cacheView<PageRoute>({ ...caching, backend: site.cache.backend }, { preHandler })
    : { preHandler }
  app.get<PageRoute>(path, options, async (request, reply) => {
    const trace = traces.get(request) ?? new Trace()
    const { view, title, data } = await content(trace, request)
    return reply.html(render(view, { ...data, title, trace, isKept, cacheName: site.cache.describe() }))
  })
}
