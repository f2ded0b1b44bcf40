import type { Static } from '@sinclair/typebox'
import { CallError } from '../errors.ts'
import { isPostgresFailure } from '../postgres/failures.ts'
import type { Routes } from './context.ts'
import { DatabaseBody } from './schemas.ts'

/** Health, and the databases of the server. */
export const serverRoutes: Routes = (app, { databases, transactions, engine, version, instance }) => {
  app.get('/health', () => ({ status: 'ok', engine, version, instance }))

  app.get('/ready', async () => {
    await databases.version()
    return { status: 'ready' }
  })

  app.get('/databases', async () => ({ databases: await databases.list() }))

  app.post<{ Body: Static<typeof DatabaseBody> }>(
    '/databases',
    { schema: { body: DatabaseBody } },
    async ({ body }, reply) => {
      await databases.create(body.name)
      return await reply.code(201).send({ message: `Database '${body.name}' created` })
    },
  )

  app.delete<{ Params: { database: string } }>('/databases/:database', async ({ params: { database } }) => {
    const expired = transactions.expireAll(database)
    try {
      await databases.drop(database)
      await expired
    } catch (error) {
      if (!isPostgresFailure(error) || error.code !== '3D000') throw error
      throw new CallError('query_error', `Database '${database}' does not exist`, {
        status: 404,
        sqlstate: error.code,
      })
    }
    return { message: `Database '${database}' deleted` }
  })
}
