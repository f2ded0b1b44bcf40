import { UsageError } from '../errors.ts'

/** Quotes a table or column name, whatever it contains. @throws {UsageError} when it is empty, no string or holds a NUL. */
export function quoteIdentifier(name: unknown): string {
  if (typeof name !== 'string' || name === '' || name.includes('\0')) {
    throw new UsageError(
      'ERR_INVALID_ARGUMENT',
      `Expected an identifier to be a non-empty string without NUL, got ${typeof name}`,
    )
  }
  return `"${name.replaceAll('"', '""')}"`
}
