import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import serveFolder from '@fastify/static'
import { ConnectionError, OperationalError, TimeoutError } from '@outrider/phantomdb-client'
import {
  fastify,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { analyticsApi } from './pages/analytics.ts'
import { bookPages } from './pages/books.ts'
import { clearCacheApi } from './pages/clear-cache.ts'
import { homePage } from './pages/home.ts'
import { postPages } from './pages/posts.ts'
import { searchPages } from './pages/search.ts'
import { createRender } from './render.ts'
import type { Site } from './site.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Sends a page. */
    html(page: string): FastifyReply
  }
}

const problems = {
  404: { title: 'Not found', text: 'There is no page at this address.' },
  400: { title: 'That did not work', text: 'The request could not be understood.' },
  503: { title: 'One moment', text: 'The database cannot be reached. Try again shortly.' },
  500: { title: 'Something went wrong', text: 'The error is in the log of the server.' },
} as const

type Problem = (typeof problems)[keyof typeof problems]

/** The pages of a site, not listening yet. Closing them leaves the site open. */
export async function buildApp(site: Site): Promise<FastifyInstance> {
  const render = createRender()
  const app = fastify({
    logger: { level: 'warn' },
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true },
    // an address that cannot be decoded fails before any hook: no reply of Fastify's own, which would repeat it
    frameworkErrors: (_error, _request, reply: FastifyReply) => {
      void reply
        .code(400)
        .header('content-security-policy', "default-src 'self'")
        .type('text/html; charset=utf-8')
        .send(render('problem', problems[400]))
    },
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
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )
  app.decorateReply('html', function html(page) {
    return this.type('text/html; charset=utf-8').send(page)
  })
  const answer = (request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply =>
    request.url.startsWith('/api/')
      ? reply.send({ error: problem.text })
      : reply.html(render('problem', problem))
  app.setNotFoundHandler((request, reply) => answer(request, reply.code(404), problems[404]))
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = statusOf(error)
    request.log[status < 500 ? 'info' : 'error'](error)
    const problem = status === 404 || status === 503 ? problems[status] : problems[status < 500 ? 400 : 500]
    return answer(request, reply.code(status), problem)
  })

  app.get('/healthz', () => ({ status: 'ok' }))
  const all = [homePage, bookPages, searchPages, postPages, analyticsApi, clearCacheApi]
  for (const pages of all) pages(app, { site, render })
  return app
}

function statusOf(error: FastifyError): number {
  if (isUnreachable(error) || isUnreachable(error.cause)) return 503
  return error.statusCode !== undefined && error.statusCode >= 400 ? error.statusCode : 500
}

/** Whether the database could not do it now; Drizzle gives the client's error as its cause. */
function isUnreachable(error: unknown): boolean {
  return [ConnectionError, OperationalError, TimeoutError].some((Class) => error instanceof Class)
}
