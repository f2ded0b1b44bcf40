import { UsageError } from './errors.ts'
import type { StoredValue } from './protocol.ts'

/** What may be given as a parameter. Booleans are stored as 0 and 1, dates as ISO 8601 text. */
export type Value = StoredValue | boolean | Date

/** Positional parameters (`?`), or named ones (`:name`, `@name`, `$name`, without the sign). */
export type Params = readonly Value[] | Readonly<Record<string, Value>>

const MAX_INT64 = 2n ** 63n - 1n

/**
 * Turns a value into what SQLite stores.
 * @throws {UsageError} ERR_VALUE when SQLite cannot hold it; `where` names the parameter, the value is not shown.
 */
export function toStored(value: unknown, where: string | number): StoredValue {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed())
        throw unfit(where, 'a string with half a surrogate pair, which UTF-8 cannot hold')
      return value
    case 'number':
      if (Number.isNaN(value)) throw unfit(where, 'NaN, which SQLite would store as NULL')
      return value
    case 'boolean':
      return value ? 1 : 0
    case 'bigint':
      if (value > MAX_INT64 || value < -MAX_INT64 - 1n) throw unfit(where, 'a bigint beyond 64 bits')
      return value
    case 'object':
      return objectToStored(value, where)
    default:
      throw unfit(where, typeof value)
  }
}

function objectToStored(value: object | null, where: string | number): StoredValue {
  if (value === null) return null
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw unfit(where, 'an invalid Date')
    return value.toISOString()
  }
  // a copy: the caller may reuse its buffer, and posting a pooled one would clone the whole pool
  if (value instanceof Uint8Array) return new Uint8Array(value)
  throw unfit(
    where,
    Array.isArray(value) ? 'an array' : `an object of class ${value.constructor?.name ?? 'null'}`,
  )
}

/** Converts all parameters of one operation. @throws {UsageError} as {@link toStored}, or when they are neither list nor object. */
export function toStoredParams(params: unknown): StoredValue[] | Record<string, StoredValue> | undefined {
  if (params === undefined) return undefined
  if (Array.isArray(params)) return Array.from(params, (value, index) => toStored(value, index + 1)) // holes too
  if (isPlain(params)) {
    return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, toStored(value, name)]))
  }
  throw new UsageError(
    'ERR_PARAMETERS',
    `Expected parameters to be an array or a plain object, got ${typeof params}`,
  )
}

/** Whether something is an object literal, and not an instance of a class. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** How many bytes a value takes on its way to the worker, roughly. */
export function sizeOf(value: StoredValue): number {
  if (typeof value === 'string') return value.length
  return value instanceof Uint8Array ? value.byteLength : 8
}

function unfit(where: string | number, what: string): UsageError {
  return new UsageError(
    'ERR_VALUE',
    `Expected parameter ${JSON.stringify(where)} to be null, a number, bigint, string, boolean, Date or Uint8Array, got ${what}`,
  )
}
