/**
 * A value as JSON can carry it to PostgreSQL: bigint and numbers that JSON does not have as text, dates in ISO 8601.
 * Bytes go as PostgreSQL reads them, `\x…`, or as the server's row calls do, in base64.
 */
export function encodeValue(value: unknown, bytes: 'hex' | 'base64'): unknown {
  switch (typeof value) {
    case 'bigint':
      return String(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'undefined':
      return null
    case 'object':
      break
    default:
      return value
  }
  if (value instanceof Uint8Array) {
    const buffer = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return bytes === 'hex' ? `\\x${buffer.toString('hex')}` : buffer.toString('base64')
  }
  return Array.isArray(value) ? value.map((item) => encodeValue(item, bytes)) : value
}

/** A row as the server's row calls take it. What is undefined is left out. */
export function encodeRow(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, encodeValue(value, 'base64')]),
  )
}

/** JSON in which integers of any size survive, as text. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item))
}
