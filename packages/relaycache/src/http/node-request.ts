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
