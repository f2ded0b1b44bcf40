import type { Static } from '@sinclair/typebox'
import { CallError, tableNotFound } from '../errors.ts'
import { isPostgresFailure } from '../postgres/failures.ts'
import { checkName, quoteIdentifier } from '../postgres/identifiers.ts'
import { listTables } from '../tables/catalog.ts'
import { createTableSql } from '../tables/create-table.ts'
import { deleteRows, insertRows, maxRows, selectRows, updateRows } from '../tables/rows.ts'
import { inSession, type Routes } from './context.ts'
import { DeleteQuery, InsertBody, InsertQuery, SelectQuery, TableBody, UpdateBody } from './schemas.ts'

interface InDatabase {
  Params: { database: string }
}
interface InTable {
  Params: { database: string; table: string }
}

/** The tables of a database and their rows. */
export const tableRoutes: Routes = (app, gateway) => {
  app.get<InDatabase>('/databases/:database/tables', async (request) => ({
    tables: await inSession(gateway, request, listTables),
  }))

  app.post<InDatabase & { Body: Static<typeof TableBody> }>(
    '/databases/:database/tables',
    { schema: { body: TableBody } },
    async (request, reply) => {
      const query = createTableSql(request.body)
      await inSession(gateway, request, (session) => session.run({ query }))
      return await reply.code(201).send({ message: `Table '${request.body.name}' created` })
    },
  )

  app.get<InTable & { Querystring: Static<typeof SelectQuery> }>(
    '/databases/:database/tables/:table',
    { schema: { querystring: SelectQuery } },
    async (request) => {
      const { limit, offset, ...rest } = request.query
      const selection = {
        ...rest,
        limit: limitOf(limit),
        offset: offset === undefined ? undefined : Number(offset),
      }
      return {
        records: await inSession(gateway, request, (session) =>
          selectRows(session, request.params.table, selection),
        ),
      }
    },
  )

  app.post<InTable & { Body: Static<typeof InsertBody>; Querystring: Static<typeof InsertQuery> }>(
    '/databases/:database/tables/:table',
    { schema: { body: InsertBody, querystring: InsertQuery } },
    async (request, reply) => {
      const { body } = request
      const rows = isList(body) ? body : [body]
      const { ids, records } = await inSession(gateway, request, (session) =>
        insertRows(session, request.params.table, { rows, returning: request.query.returning }),
      )
      const message = `${rows.length} ${rows.length === 1 ? 'row' : 'rows'} inserted`
      const inserted = isList(body) ? { ids } : { id: ids[0] }
      return await reply.code(201).send({ message, ...inserted, ...(records && { records }) })
    },
  )

  app.put<InTable & { Body: Static<typeof UpdateBody> }>(
    '/databases/:database/tables/:table',
    { schema: { body: UpdateBody } },
    async (request) => {
      const count = await inSession(gateway, request, (session) =>
        updateRows(session, request.params.table, request.body),
      )
      return { message: `${count} ${count === 1 ? 'row' : 'rows'} updated`, count }
    },
  )

  // Without a condition the table itself goes, as the original contract has it.
  app.delete<InTable & { Querystring: Static<typeof DeleteQuery> }>(
    '/databases/:database/tables/:table',
    { schema: { querystring: DeleteQuery } },
    async (request) => {
      const { condition } = request.query
      const { table } = request.params
      if (condition === undefined) {
        await inSession(gateway, request, (session) =>
          session.run({ query: `drop table ${quoteIdentifier(checkName(table, 'table'))}` }),
        ).catch((error: unknown) => {
          throw isPostgresFailure(error) && error.code === '42P01' ? tableNotFound(table) : error
        })
        return { message: `Table '${table}' deleted` }
      }
      const count = await inSession(gateway, request, (session) => deleteRows(session, table, condition))
      return { message: `${count} ${count === 1 ? 'row' : 'rows'} deleted`, count }
    },
  )
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || Number(text) <= maxRows) return text === undefined ? undefined : Number(text)
  throw new CallError('invalid_request', `Expected a limit of at most ${maxRows}`)
}

// Array.isArray does not tell readonly lists from records.
const isList = <T extends object>(body: T | T[]): body is T[] => Array.isArray(body)
