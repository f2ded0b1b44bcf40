import { hashKey } from '../keys.ts'

/** One header of a request by its name in lower case; `undefined` when the request does not have it. */
export type HeaderOf = (name: string) => string | undefined

/** The key of what a request asks for: the path, and the query with its parameters sorted by name. */
export function urlKey(url: string): string {
  const start = url.indexOf('?')
  if (start === -1) return `view:${url}`
  return `view:${url.slice(0, start)}?${sortedQuery(url.slice(start + 1))}`
}

/** The key of one variant: of what is under `key`, that for requests with the same headers of these names. */
export function variantKey(key: string, names: readonly string[], header: HeaderOf): string {
  if (names.length === 0) return key
  return `view-variant:${hashKey([key, names.map((name) => [name, header(name)])])}`
}

/**
 * Parameters of one name keep their order, and keep their spelling: what two handlers may tell apart must not share a
 * key. `a[x]` and `a` count as one name, as some parsers merge them.
 */
function sortedQuery(query: string): string {
  const parameters = query.split('&').map((text) => ({ text, name: rootName(text) }))
  return parameters
    .toSorted((a, b) => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1))
    .map(({ text }) => text)
    .join('&')
}

function rootName(parameter: string): string {
  const name = parameter.split('=', 1)[0] ?? ''
  try {
    return decodeURIComponent(name.replaceAll('+', ' ')).replace(/[.[].*$/s, '')
  } catch {
    // Parsers differ in what they make of it, so all such parameters keep their order.
    return ''
  }
}
