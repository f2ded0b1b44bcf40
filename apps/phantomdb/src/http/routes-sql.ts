import type { Static } from '@sinclair/typebox'
import { CallError } from '../errors.ts'
import { failureOf } from '../postgres/failures.ts'
import type { Session } from '../postgres/session.ts'
import { recordsOf, type Statement, type StatementResult } from '../postgres/statement.ts'
import { inSession, onConnection, type Routes } from './context.ts'
import { BatchBody, QueryBody } from './schemas.ts'

interface InDatabase {
  Params: { database: string }
}

/** SQL as it is: one statement, or several as one transaction. */
export const sqlRoutes: Routes = (app, gateway) => {
  app.post<InDatabase & { Body: Static<typeof QueryBody> }>(
    '/databases/:database/query',
    { schema: { body: QueryBody } },
    async (request) => {
      const result = await inSession(gateway, request, (session) => session.run(request.body))
      return replyOf(result, request.body.arrayMode)
    },
  )

  app.post<InDatabase & { Body: Static<typeof BatchBody> }>(
    '/databases/:database/batch',
    { schema: { body: BatchBody } },
    async (request) => {
      const { statements, arrayMode } = request.body
      const results = await onConnection(gateway, request, async (connection, isTransaction) => {
        const runAll = () => connection.use(request.gone, (session) => inOrder(session, statements))
        if (isTransaction) return await runAll()
        await connection.control('begin')
        try {
          const all = await runAll()
          await connection.control('commit')
          return all
        } catch (error) {
          await connection.control('rollback')
          throw error
        }
      })
      return results.map((result) => replyOf(result, arrayMode))
    },
  )
}

async function inOrder(session: Session, statements: readonly Statement[]): Promise<StatementResult[]> {
  const results: StatementResult[] = []
  for (const [index, statement] of statements.entries()) {
    const result = await session.run(statement).catch((error: unknown) => {
      const failure = failureOf(error)
      const { code, message, status, sqlstate, retryable } = failure
      const details = { ...failure.details, statement: index }
      throw new CallError(code, message, { status, sqlstate, retryable, details })
    })
    results.push(result)
  }
  return results
}

/** The reply with the names that the original clients read, or only what is needed to build them. */
function replyOf({ command: _, ...result }: StatementResult, arrayMode = false): object {
  if (arrayMode) return result
  const records = recordsOf({ ...result, command: _ })
  return { ...result, records, results: records, affected_rows: result.affectedRows }
}
