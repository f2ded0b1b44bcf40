import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import serveFolder from '@fastify/static'
import { fastify, type FastifyInstance } from 'fastify'
import { Analytics } from './analytics.ts'
import { openCache } from './cache.ts'
import { homePage } from './pages/home.ts'
import { createRender } from './render.ts'
import type { Settings } from './settings.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Sends a page. */
    html(page: string): FastifyReply
  }
}

/** The site, not listening yet. Closing it closes what it opened. */
export async function buildApp(settings: Settings): Promise<FastifyInstance> {
  const app = fastify({ logger: { level: 'warn' }, forceCloseConnections: 'idle' })
  const render = createRender()
  const analytics = new Analytics(settings.dataDir, (error) =>
    app.log.error(error, 'a page view could not be stored'),
  )
  const cache = openCache(settings.redisUrl, (error) => app.log.warn(error, 'the cache is not reachable'))
  app.addHook('onClose', async () => {
    cache.close()
    await analytics.close()
  })

  await app.register(helmet, {
    strictTransportSecurity: false, // served over plain HTTP on this machine
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  })
  await app.register(serveFolder, {
    root: fileURLToPath(new URL('../public', import.meta.url)),
    prefix: '/static/',
  })
  app.decorateReply('html', function html(page) {
    return this.type('text/html; charset=utf-8').send(page)
  })
  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .html(render('problem', { title: 'Not found', text: 'There is no page at this address.' })),
  )
  app.setErrorHandler((error, request, reply) => {
    request.log.error(error)
    return reply
      .code(500)
      .html(
        render('problem', { title: 'Something went wrong', text: 'The error is in the log of the server.' }),
      )
  })

  app.get('/healthz', () => ({ status: 'ok' }))
  homePage(app, { analytics, cache, render })
  return app
}
