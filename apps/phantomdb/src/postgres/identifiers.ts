import { CallError } from '../errors.ts'

/** A name as PostgreSQL's SQL takes it. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A string as a SQL literal, where placeholders are not possible. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return text.includes('\\') ? `E${quoted}` : quoted
}

/**
 * Passes a name that PostgreSQL can have: 1 to 63 bytes, no control characters.
 * @throws {CallError} `invalid_request`
 */
export function checkName(name: string, what: string): string {
  const bytes = Buffer.byteLength(name)
  // oxlint-disable-next-line no-control-regex
  if (bytes >= 1 && bytes <= 63 && !/[\u0000-\u001f\u007f]/.test(name)) return name
  throw new CallError('invalid_request', `Expected the name of a ${what} of 1 to 63 bytes`)
}
