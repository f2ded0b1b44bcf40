import { randomUUID } from 'node:crypto'
import bearerAuth from '@fastify/bearer-auth'
import Fastify, { type FastifyInstance } from 'fastify'
import { CallError } from '../errors.ts'
import type { Gateway } from './context.ts'
import { replyWithErrors, type OnInternalError } from './errors.ts'
import { isLoopback } from './loopback.ts'
import { serverRoutes } from './routes-server.ts'
import { sqlRoutes } from './routes-sql.ts'
import { tableRoutes } from './routes-tables.ts'
import { transactionRoutes } from './routes-transactions.ts'
import type { RunningCalls } from './running-calls.ts'

/** What the HTTP side needs beside the {@link Gateway}. */
export interface AppOptions {
  /** Undefined: no authentication, and only callers on this machine. */
  readonly token: string | undefined
  readonly maxBodyBytes: number
  readonly onInternalError: OnInternalError
  readonly calls: RunningCalls
}

/** The HTTP side of a gateway, not yet listening. */
export function createApp(gateway: Gateway, options: AppOptions): FastifyInstance {
  const app = Fastify({
    bodyLimit: options.maxBodyBytes,
    // A condition of 8 KiB, percent-encoded, fits into a URL.
    http: { maxHeaderSize: 64 * 1024 },
    genReqId: () => randomUUID(),
    routerOptions: { maxParamLength: 1000 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
  })
  readJsonOnly(app)
  replyWithErrors(app, options.onInternalError)
  followCalls(app, options.calls)
  protect(app, options.token)
  void app.register(async (root) => {
    for (const routes of [serverRoutes, tableRoutes, sqlRoutes, transactionRoutes]) routes(root, gateway)
  })
  return app
}

// Only JSON, which a web page of another origin cannot send without asking first.
function readJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) => {
    try {
      done(null, body === '' ? undefined : JSON.parse(String(body)))
    } catch {
      done(new CallError('invalid_request', 'The body is not JSON'), undefined)
    }
  })
}

function followCalls(app: FastifyInstance, calls: RunningCalls): void {
  app.decorateRequest('gone')
  app.addHook('onRequest', (request, reply, done) => {
    const controller = calls.begin()
    request.gone = controller.signal
    reply.header('x-request-id', request.id)
    reply.raw.once('close', () => {
      calls.end(controller)
      if (!reply.raw.writableFinished) controller.abort()
    })
    done()
  })
}

const isPublic = (url: string): boolean => /^\/(?:health|ready)(?:\?|$)/.test(url)

function protect(app: FastifyInstance, token: string | undefined): void {
  if (token === undefined) {
    // A web page can make its own name lead to this machine (DNS rebinding), but not the header.
    app.addHook('onRequest', async ({ headers }) => {
      if (isLoopback((headers.host ?? '').replace(/:\d+$/, ''))) return
      throw new CallError('host_refused', 'Without a token, calls must name a loopback host')
    })
    return
  }
  // Compares in constant time.
  void app.register(bearerAuth, { addHook: false, keys: new Set([token]) })
  app.addHook('onRequest', (request, reply, done) => {
    if (isPublic(request.url) || !app.verifyBearerAuth) done()
    else app.verifyBearerAuth(request, reply, done)
  })
}
