import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Render } from '../render.ts'
import type { Site } from '../site.ts'
import { Trace } from '../trace.ts'

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

type Params = Readonly<Record<string, string>>
type PageRequest = FastifyRequest<{ Params: Params; Querystring: Params }>

/** Registers a page: notes the view, makes the content, and shows at its foot how that went. */
export function page(
  app: FastifyInstance,
  path: string,
  { site, render }: PageContext,
  content: (trace: Trace, request: PageRequest) => Promise<PageContent>,
): void {
  app.get<{ Params: Params; Querystring: Params }>(path, async (request, reply) => {
    const trace = new Trace()
    if (request.method === 'GET') {
      await trace.step({ package: 'sqlite-worker', operation: 'insert', target: 'page_views' }, () =>
        site.analytics.logView(request.url.split('?', 1)[0] ?? ''),
      )
    }
    const { view, title, data } = await content(trace, request)
    return reply.html(render(view, { ...data, title, trace, cacheName: site.cache.name }))
  })
}
