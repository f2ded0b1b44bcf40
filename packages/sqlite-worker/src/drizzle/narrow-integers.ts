import { UsageError } from '../errors.ts'

/** The number that a bigint stands for, or the bigint where none does. */
export function narrowed(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** @throws {UsageError} when no number stands for the bigint. */
export function narrowedStrictly(value: bigint, column: string): number {
  const number = narrowed(value)
  if (typeof number === 'number') return number
  throw new UsageError(
    'ERR_INTEGER_RANGE',
    `Column ${JSON.stringify(column)} holds an integer beyond 2^53 - 1, which a JavaScript number cannot hold; ` +
      "declare it as numeric({ mode: 'bigint' }) or with a custom type",
  )
}
