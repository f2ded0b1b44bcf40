import { isRelayCacheError } from '@outrider/relaycache'
import type { FastifyError, FastifyInstance } from 'fastify'
import { z } from 'zod'
import { isStaff } from '../staff.ts'
import type { PageContext } from './page.ts'

const form = z.object({ cache_type: z.enum(['books', 'stats', 'all']) })
const PATH = '/admin/clear-cache/'

const statusOf = ({ statusCode = 500 }: FastifyError): number => statusCode

const failure = (message: string) => ({ status: 'error', message })

/** POST `/admin/clear-cache/` with `cache_type`: empties a part of the cache, in every process; for staff. */
export function clearCacheApi(app: FastifyInstance, { site }: PageContext): void {
  const parts = {
    books: { clear: () => site.clearing.clearAllBookCache(), message: 'Book cache cleared' },
    stats: { clear: () => site.clearing.clearBookStats(), message: 'Stats cache cleared' },
    all: { clear: () => site.clearCache(), message: 'All cache cleared' },
  } as const

  app.route({
    method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: PATH,
    handler: (_request, reply) => reply.code(405).header('allow', 'POST').send(failure('Method not allowed')),
  })

  app.post(
    PATH,
    {
      // also of a body that cannot be read
      errorHandler: (error, request, reply) => {
        if (statusOf(error) >= 500) request.log.error(error)
        void reply
          .code(statusOf(error))
          .send(failure(statusOf(error) < 500 ? 'Invalid request' : 'It failed'))
      },
      onRequest: async (request, reply) => {
        if (isStaff(request, site.settings)) return
        return reply.code(401).header('www-authenticate', 'Bearer').send(failure('Staff only'))
      },
    },
    async ({ body }, reply) => {
      const given = form.safeParse(body)
      if (!given.success) return reply.code(400).send(failure('Invalid cache_type'))
      const { clear, message } = parts[given.data.cache_type]
      try {
        await clear()
      } catch (error) {
        if (!isRelayCacheError(error)) throw error
        return reply.code(503).send(failure('The cache did not confirm'))
      }
      return { status: 'success', message }
    },
  )
}
