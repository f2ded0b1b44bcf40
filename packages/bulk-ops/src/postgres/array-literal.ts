/**
 * Encoded values as the text of a PostgreSQL array: one parameter for a whole column.
 * See https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 */
export function arrayLiteral(values: Iterable<unknown>): string {
  const elements: string[] = []
  for (const value of values) elements.push(element(value))
  return `{${elements.join(',')}}`
}

function element(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quoted(value)
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'object':
      if (value === null) return 'NULL'
      if (value instanceof Date) return quoted(value.toISOString())
      // The hexadecimal format of bytea, its backslash escaped for the array.
      if (value instanceof Uint8Array) return `"\\\\x${Buffer.from(value).toString('hex')}"`
      return quoted(JSON.stringify(value))
    case 'undefined':
    case 'function':
    case 'symbol':
      throw new TypeError(`Expected a value that PostgreSQL can hold, got ${typeof value}`)
  }
}

function quoted(text: string): string {
  return `"${/["\\]/.test(text) ? text.replaceAll(/["\\]/g, '\\$&') : text}"`
}
