import { cache, type CachedFunction } from '@outrider/relaycache'
import type { FastifyInstance } from 'fastify'
import type { Analytics } from '../analytics.ts'
import type { Cache } from '../cache.ts'
import type { Render } from '../render.ts'
import { Trace } from '../trace.ts'

/** How long the number of views is shown before it is counted again. */
const COUNT_TTL = '30s'

/** `/`: notes the view, and shows how many there were when somebody last counted. */
export function homePage(
  app: FastifyInstance,
  { analytics, cache: { backend, name }, render }: HomeContext,
): void {
  const countViews: CachedFunction<[], number> = cache(
    { ttl: COUNT_TTL, key: 'views', tags: ['page_views'], backend },
    () => analytics.countViews(),
  )

  app.get('/', async (request, reply) => {
    const trace = new Trace()
    await trace.step({ package: 'sqlite-worker', operation: 'insert', target: 'page_views' }, () =>
      analytics.logView(request.url),
    )
    const views = await trace.step(
      { package: 'relaycache', operation: 'cache', target: `${countViews.keyOf()} in ${name}` },
      () => countViews.lookup(),
      ({ status }) => status.toUpperCase(),
    )
    return reply.html(
      render('home', {
        title: 'Outrider',
        views: views.value,
        status: views.status.toUpperCase(),
        ttl: COUNT_TTL,
        trace,
      }),
    )
  })
}

export interface HomeContext {
  readonly analytics: Analytics
  readonly cache: Cache
  readonly render: Render
}
