import type { ServerResponse } from 'node:http'
import type { Rendered } from '../http/render.ts'
import type { HeaderValue } from '../http/stored-response.ts'

/** Writes the head, and gives back the body to end the response with. */
export function sendHead(
  response: ServerResponse,
  { status, headers, cacheControl, body }: Rendered,
): Uint8Array {
  if (status === 304) response.removeHeader('content-length')
  for (const [name, value] of headers) response.setHeader(name, mutable(value))
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', cacheControl)
  response.writeHead(status)
  return body
}

function mutable(value: HeaderValue): string | string[] {
  return typeof value === 'string' ? value : [...value]
}
