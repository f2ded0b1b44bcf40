import type { Dialect } from '../table-meta.ts'

type Check = (encoded: unknown) => boolean

const never: Check = () => false
const isString: Check = (value) => typeof value === 'string'
// A negative zero loses its sign in integers, and NaN becomes NULL in SQLite.
const isNumber: Check = (value) => typeof value === 'number' && !Number.isNaN(value) && !Object.is(value, -0)
const isInteger: Check = (value) =>
  typeof value === 'bigint' || (Number.isSafeInteger(value) && isNumber(value))
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

const sqlite: Record<string, Check> = {
  integer: (value) => typeof value !== 'bigint' && isInteger(value),
  real: isNumber,
  text: isString,
  blob: (value) => value instanceof Uint8Array,
}

const postgres: Record<string, Check> = {
  smallint: isInteger,
  integer: isInteger,
  bigint: isInteger,
  smallserial: isInteger,
  serial: isInteger,
  bigserial: isInteger,
  'double precision': isNumber,
  boolean: (value) => typeof value === 'boolean',
  text: isString,
  varchar: isString,
  uuid: (value) => typeof value === 'string' && uuid.test(value),
}

/**
 * Which encoded values a column is sure to hold unchanged. All others are read back, since the database rounds,
 * pads or reformats them: numerics, JSON, timestamps with a precision, and whatever it converts.
 */
export function storedAsGiven(dialect: Dialect, sqlType: string): Check {
  const type = sqlType.replace(/ ?\(\d+\)$/, '')
  return (dialect === 'sqlite' ? sqlite : postgres)[type] ?? never
}
