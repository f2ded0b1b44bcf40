import { describe } from '../options.ts'
import { decode, encode } from './codec.ts'

/**
 * Turns values into what Redis holds, and back.
 *
 * @example
 * import { deserialize, serialize } from 'node:v8'
 *
 * const v8Serializer: Serializer = { name: 'v8', encode: serialize, decode: deserialize }
 */
export interface Serializer {
  /**
   * Stored with each value; a value under another name is a miss. Lower-case letters, digits, dots and dashes, at
   * most 32. Change it whenever older values could not be decoded any more.
   */
  readonly name: string
  /** Text or bytes. What it throws goes to `onError`, and the value is not stored. */
  encode(value: unknown): string | Uint8Array
  /** The value of what {@link encode} made, text as UTF-8; it may keep `data`. What it throws makes a miss. */
  decode(data: Buffer): unknown
}

/** JSON with the types that it lacks: the default. */
export const jsonSerializer: Serializer = {
  name: 'json',
  encode,
  decode,
}

/** @throws {TypeError} when it is not a {@link Serializer} */
export function checkSerializer(given: unknown): Serializer {
  const { name, encode, decode } = (given ?? {}) as Partial<Record<keyof Serializer, unknown>>
  if (typeof encode !== 'function' || typeof decode !== 'function') {
    throw new TypeError(
      `Expected serializer to be an object with name, encode and decode, got ${describe(given)}`,
    )
  }
  if (typeof name === 'string' && /^[a-z0-9.-]{1,32}$/.test(name)) return given as Serializer
  throw new TypeError(
    `Expected the name of serializer to be 1 to 32 lower-case letters, digits, dots and dashes, got ${describe(name)}`,
  )
}
