import type { HeaderOf } from './request-key.ts'
import type { Header, StoredResponse } from './stored-response.ts'
import { hasCredentials, type Answer } from './view.ts'

/** A response as it goes out. A HEAD request gets it without the body. */
export interface Rendered {
  readonly status: 200 | 304
  /** To be set after the removed ones are gone. */
  readonly headers: readonly Header[]
  /** Set this if the response has no `Cache-Control` by then. */
  readonly cacheControl: string
  /** Empty for a 304. */
  readonly body: Uint8Array
}

const EMPTY = new Uint8Array()

/** What to send for an answer to the request with these headers: the response, or 304 when the client has it. */
export function render(
  { stored, source }: Answer,
  header: HeaderOf,
  { ttlMs, clientTtlMs }: { ttlMs: number; clientTtlMs: number },
): Rendered {
  // The clock of another process may be ahead.
  const ageSeconds = Math.max(0, Math.floor((Date.now() - stored.storedAtMs) / 1000))
  const isKnown = isNotModified(stored, header)
  const headers: Header[] = [
    ...stored.headers,
    ['etag', stored.etag],
    ['age', `${ageSeconds}`],
    ['x-cache', source],
  ]
  if (!isKnown) headers.push(['content-length', `${stored.body.byteLength}`])
  // Clients subtract the age.
  const maxAgeSeconds = Math.min(ageSeconds + Math.floor(clientTtlMs / 1000), Math.floor(ttlMs / 1000))
  // `must-revalidate` alone would let a shared cache keep what needs credentials.
  const scope = hasCredentials(header) ? 'private, ' : ''
  return {
    status: isKnown ? 304 : 200,
    headers,
    cacheControl:
      maxAgeSeconds > ageSeconds ? `${scope}max-age=${maxAgeSeconds}` : `${scope}max-age=0, must-revalidate`,
    body: isKnown ? EMPTY : stored.body,
  }
}

/** RFC 9110, 13.2.2: `If-Modified-Since` counts only without `If-None-Match`. */
function isNotModified({ etag, headers }: StoredResponse, header: HeaderOf): boolean {
  const expected = header('if-none-match')
  if (expected !== undefined)
    return expected.trim() === '*' || [...expected.matchAll(/"[^"]*"/g)].some(([tag]) => tag === etag)
  const modified = headers.find(([name]) => name === 'last-modified')?.[1]
  const since = header('if-modified-since')
  if (typeof modified !== 'string' || since === undefined) return false
  return Date.parse(modified) <= Date.parse(since)
}
