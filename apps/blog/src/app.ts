import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import serveFolder from '@fastify/static'
import { fastify, type FastifyError, type FastifyInstance } from 'fastify'
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

const refusal = { title: 'That did not work', text: 'The request could not be understood.' }
const failure = { title: 'Something went wrong', text: 'The error is in the log of the server.' }

/** The site, not listening yet. Closing it closes what it opened. */
export async function buildApp(settings: Settings): Promise<FastifyInstance> {
  const render = createRender()
  const app = fastify({
    logger: { level: 'warn' },
    forceCloseConnections: 'idle',
    // an address that cannot be decoded fails before any hook: no reply of Fastify's own, which would repeat it
    frameworkErrors: (_error, _request, reply) => {
      void reply
        .code(400)
        .header('content-security-policy', "default-src 'self'")
        .type('text/html; charset=utf-8')
        .send(render('problem', refusal))
    },
  })
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
    contentSecurityPolicy: {
      directives: { styleSrc: ["'self'"], fontSrc: ["'self'"], upgradeInsecureRequests: null },
    },
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
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode >= 400 ? error.statusCode : 500
    request.log[status < 500 ? 'info' : 'error'](error)
    return reply.code(status).html(render('problem', status < 500 ? refusal : failure))
  })

  app.get('/healthz', () => ({ status: 'ok' }))
  homePage(app, { analytics, cache, render })
  return app
}
