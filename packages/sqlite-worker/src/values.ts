import { types } from 'node:util'
import { UsageError } from './errors.ts'
import type { StoredValue } from './protocol.ts'

/** What may be given as a parameter. Booleans are stored as 0 and 1, dates as their {@link DateFormat} says. */
export type Value = StoredValue | boolean | Date

/**
 * How a Date is stored: as ISO 8601 text in UTC (`2026-01-31T12:00:00.000Z`, sorts by time), or as an integer, the
 * milliseconds since 1970. Neither comes back as a Date: SQLite has no such type.
 */
export type DateFormat = 'iso' | 'epochMs'

/** Positional parameters (`?`), or named ones (`:name`, `@name`, `$name`, without the sign). */
export type Params = readonly Value[] | Readonly<Record<string, Value>>

const MAX_INT64 = 2n ** 63n - 1n

/**
 * Turns a value into what SQLite stores.
 * @throws {UsageError} ERR_VALUE when SQLite cannot hold it; `where` names the parameter, the value is not shown.
 */
export function toStored(value: unknown, where: string | number, dates: DateFormat = 'iso'): StoredValue {
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
      return value === null ? null : objectToStored(value, where, dates)
    default:
      throw unfit(where, typeof value)
  }
}

function objectToStored(value: object, where: string | number, dates: DateFormat): StoredValue {
  // not only instanceof: a value may come from another realm, as it does in some test runners
  if (value instanceof Date || types.isDate(value)) {
    const time = value.getTime()
    if (Number.isNaN(time)) throw unfit(where, 'an invalid Date')
    return dates === 'iso' ? value.toISOString() : time
  }
  if (types.isUint8Array(value)) return copyOf(value, where)
  throw unfit(where, Array.isArray(value) ? 'an array' : `an object of class ${classOf(value)}`)
}

/** A copy of its own: the caller may reuse its buffer, and posting a pooled one would clone the whole pool. */
function copyOf(bytes: Uint8Array, where: string | number): Uint8Array {
  try {
    return new Uint8Array(bytes)
  } catch {
    throw unfit(where, 'a Uint8Array whose buffer was transferred away')
  }
}

function classOf(value: object): string {
  const { constructor } = value as { constructor?: unknown }
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'unknown'
}

/** Converts all parameters of one operation. @throws {UsageError} as {@link toStored}, or when they are neither list nor object. */
export function toStoredParams(
  params: unknown,
  dates: DateFormat = 'iso',
): StoredValue[] | Record<string, StoredValue> | undefined {
  if (params === undefined) return undefined
  if (Array.isArray(params)) {
    const stored: StoredValue[] = []
    for (let i = 0; i < params.length; i++) stored.push(toStored(params[i], i + 1, dates)) // holes too
    return stored
  }
  if (isPlain(params)) {
    return Object.fromEntries(
      Object.entries(params).map(([name, value]) => [name, toStored(value, name, dates)]),
    )
  }
  throw new UsageError(
    'ERR_PARAMETERS',
    `Expected parameters to be an array or a plain object, got ${typeof params}`,
  )
}

/** Whether something is an object literal, of whatever realm, and not an instance of a class. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
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
