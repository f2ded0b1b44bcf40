import { UsageError } from '../errors.ts'

/** A value as JSON text, null for undefined. @throws {UsageError} ERR_VALUE when it has no such text. */
export function toJsonText(value: unknown, what: string): string | null {
  if (value === undefined) return null
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw Object.assign(new UsageError('ERR_VALUE', `Expected ${what} to be a value that JSON can hold`), {
      cause,
    })
  }
  if (text === undefined) {
    throw new UsageError(
      'ERR_VALUE',
      `Expected ${what} to be a value that JSON can hold, got ${typeof value}`,
    )
  }
  return text
}
