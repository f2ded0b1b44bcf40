import type { FastifyInstance } from 'fastify'
import type { PageContext } from './page.ts'

/** `/api/analytics/`: the views of each of the last 30 days; `/api/analytics/top-today`: the 10 pages viewed most. */
export function analyticsApi(app: FastifyInstance, { site: { analytics } }: PageContext): void {
  app.get('/api/analytics/', async () => ({ analytics: await analytics.viewsByDay(30) }))
  app.get('/api/analytics/top-today', async () => ({ analytics: await analytics.topToday(10) }))
}
