import type { IncomingMessage } from 'node:http'
import type { HeaderOf } from './request-key.ts'
import type { Header } from './stored-response.ts'

const CONDITIONS = ['if-none-match', 'if-modified-since'] as const

/** The headers of a Node request, as they are now. */
export function headerOf({ headers }: Pick<IncomingMessage, 'headers'>): HeaderOf {
  const copy = { ...headers }
  return (name) => text(copy[name])
}

/**
 * Makes the request one that gets a whole response: GET, and without conditions. Gives back how to undo it.
 * Frameworks answer 304 themselves, and leave out what HEAD does not need.
 */
export function askForEverything(request: IncomingMessage): () => void {
  const { method, headers } = request
  const conditions = CONDITIONS.map((name) => [name, headers[name]] as const)
  request.method = 'GET'
  for (const name of CONDITIONS) delete headers[name]
  return () => {
    if (method !== undefined) request.method = method
    for (const [name, value] of conditions) if (value !== undefined) headers[name] = value
  }
}

/** What is used of a response of Node, whether of HTTP/1 or HTTP/2. */
export interface NodeResponse {
  readonly writableEnded: boolean
  /** Responses of HTTP/2 do not have it. */
  readonly destroyed?: boolean
  once(event: 'close', listener: () => void): unknown
}

/** Whether nobody waits for a response any more: it is complete, or the client has left. */
export function isOver({ socket }: IncomingMessage, response: NodeResponse): boolean {
  return response.writableEnded || response.destroyed === true || socket.destroyed
}

/** Calls back when a response that is not over becomes so; perhaps more than once. */
export function onceOver(request: IncomingMessage, response: NodeResponse, callback: () => void): void {
  response.once('close', callback)
  // A response that waits behind others on its connection does not hear of the end of that.
  request.once('close', () => {
    if (request.socket.destroyed) callback()
  })
}

/** The headers of a response that is being made, as they would be sent. */
export function headersOf(given: Readonly<Record<string, unknown>>): Header[] {
  return Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)])
}

/** A header as one text. */
export function text(value: number | string | readonly string[] | undefined): string | undefined {
  return value === undefined ? undefined : String(value)
}
