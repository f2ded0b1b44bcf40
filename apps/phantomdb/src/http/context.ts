import type { FastifyInstance, FastifyRequest } from 'fastify'
import { CallError } from '../errors.ts'
import type { Databases } from '../postgres/databases.ts'
import { withConnection, type Connection, type Session } from '../postgres/session.ts'
import type { TransactionRegistry } from '../transactions/registry.ts'

/** What the routes work on. */
export interface Gateway {
  readonly databases: Databases
  readonly transactions: TransactionRegistry
  readonly transactionTimeoutMs: number
  readonly engine: 'embedded' | 'external'
  readonly version: string
  /** Random, so that whoever finds the address in a file can tell that it is this process. */
  readonly instance: string
}

/** Registers a group of calls, at the root or below a prefix. */
export type Routes = (app: FastifyInstance, gateway: Gateway) => void

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborts when the caller is gone before the reply, or when the gateway closes for good. */
    gone: AbortSignal
  }
}

/** Runs a call on a connection: that of its transaction, or a lent one. */
export async function onConnection<T>(
  { databases, transactions }: Gateway,
  request: FastifyRequest<{ Params: { database: string } }>,
  task: (connection: Connection, isTransaction: boolean) => Promise<T>,
): Promise<T> {
  const { database } = request.params
  const id = transactionId(request)
  const unlessGone = (connection: Connection): Promise<T> => {
    if (request.gone.aborted) throw new CallError('cancelled', 'The caller is gone')
    return task(connection, id !== undefined)
  }
  if (id !== undefined) return await transactions.find(id).run(database, unlessGone)
  return await withConnection(databases, database, unlessGone)
}

/** {@link onConnection} for statements only. */
export async function inSession<T>(
  gateway: Gateway,
  request: FastifyRequest<{ Params: { database: string } }>,
  task: (session: Session) => Promise<T>,
): Promise<T> {
  return await onConnection(gateway, request, (connection) => connection.use(request.gone, task))
}

function transactionId({ headers }: FastifyRequest): string | undefined {
  const id = headers['x-phantomdb-transaction']
  return Array.isArray(id) ? id[0] : id
}
