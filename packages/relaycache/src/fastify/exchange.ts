import type { IncomingMessage } from 'node:http'

/** What is used of a Fastify request, whatever its type parameters. */
export interface ViewRequest {
  readonly raw: IncomingMessage
  readonly originalUrl: string
}

/** What is used of a Fastify reply, whatever its type parameters. */
export interface ViewReply {
  readonly raw: { once(event: 'close', listener: () => void): unknown }
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
