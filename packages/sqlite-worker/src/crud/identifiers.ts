import { UsageError } from '../errors.ts'

/** Names quoted lately, which are few in a program. */
const quotedNames = new Map<string, string>()
const MAX_NAMES = 2000

/** Quotes a table or column name, whatever it contains. @throws {UsageError} when it is empty, no string, holds a NUL or half a surrogate pair. */
export function quoteIdentifier(name: unknown): string {
  return quotedNames.get(name as string) ?? quote(name)
}

function quote(name: unknown): string {
  if (typeof name !== 'string' || name === '' || name.includes('\0') || !name.isWellFormed()) {
    throw new UsageError(
      'ERR_INVALID_ARGUMENT',
      `Expected an identifier to be a non-empty, well-formed string without NUL, got ${name === '' ? 'an empty string' : typeof name}`,
    )
  }
  const quoted = `"${name.replaceAll('"', '""')}"`
  if (quotedNames.size >= MAX_NAMES) quotedNames.clear()
  quotedNames.set(name, quoted)
  return quoted
}

/** Quotes several names, separated by commas. */
export function quoteIdentifiers(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(', ')
}
