import type { IncomingMessage } from 'node:http'
import type { NodeResponse } from '../http/node-request.ts'

/** What is used of a Fastify request, whatever its type parameters. */
export interface ViewRequest {
  readonly raw: IncomingMessage
  readonly originalUrl: string
}

/** What is used of a Fastify reply, whatever its type parameters. */
export interface ViewReply {
  readonly raw: NodeResponse
  /** Whether someone has answered, or has taken the reply over. */
  readonly sent: boolean
  readonly statusCode: number
  code(status: number): unknown
  getHeader(name: string): number | string | string[] | undefined
  getHeaders(): Readonly<Record<string, unknown>>
  hasHeader(name: string): boolean
  header(name: string, value: unknown): unknown
  removeHeader(name: string): unknown
  send(payload?: unknown): unknown
  hijack(): unknown
}
