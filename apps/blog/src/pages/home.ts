import { cache, type CachedFunction } from '@outrider/relaycache'
import type { FastifyInstance } from 'fastify'
import { page, type PageContext } from './page.ts'

/** `/`: the newest posts, and how much there is. */
export function homePage(app: FastifyInstance, context: PageContext): void {
  const {
    analytics,
    books,
    posts,
    cache: { backend },
  } = context.site
  const countViews: CachedFunction<[], number> = cache(
    { ttl: '30s', key: 'views', tags: ['page_views'], backend },
    () => analytics.countViews(),
  )

  page(app, '/', context, async (trace, request) => {
    // a site whose counters are broken is still a site
    const views = await trace.cached(countViews).catch((error: unknown) => {
      request.log.error(error)
      return undefined
    })
    const { status } = trace
    const [newest, statistics] = await Promise.all([
      trace.cached(posts.listPosts),
      trace.cached(books.getBookStatistics),
    ])
    return { view: 'home', title: 'Outrider', data: { views, status, posts: newest, statistics } }
  })
}
