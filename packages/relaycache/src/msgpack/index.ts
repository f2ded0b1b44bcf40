import { Packr } from 'msgpackr'
import { UnsupportedValueError } from '../errors.ts'
import { visit, type Visitor } from '../plain-data.ts'
import { jsonSerializer, type Serializer } from '../redis/serializer.ts'

export type { Serializer } from '../redis/serializer.ts'

/** Bytes in a value are copied, so that they do not keep the whole blob in memory. */
const packr = new Packr({ useRecords: true, moreTypes: true, useBigIntExtension: true, copyBuffers: true })

const PACKED = 0x6d
const JSON_TEXT = 0x6a

/**
 * MessagePack for `RedisCache`: smaller than JSON where there are numbers, dates and above all bytes. It keeps what the
 * default keeps; a value with something that MessagePack does not have (`-0`, an invalid date, text with a lone
 * surrogate, a key `__proto__`) is stored as JSON. Needs msgpackr 1.11 or later.
 *
 * @example
 * const backend = new RedisCache(client, { serializer: msgpackSerializer })
 */
export const msgpackSerializer: Serializer = {
  name: 'msgpack',
  encode: (value) =>
    visit(value, packable)
      ? Buffer.concat([Buffer.of(PACKED), packr.pack(value)])
      : Buffer.concat([Buffer.of(JSON_TEXT), Buffer.from(jsonSerializer.encode(value))]),
  decode: (data) => {
    const content = data.subarray(1)
    if (data[0] === PACKED) return packr.unpack(content)
    if (data[0] === JSON_TEXT) return jsonSerializer.decode(content)
    throw new Error('Unknown encoding of a cached value')
  },
}

/** Whether MessagePack keeps the value. Looks at all of it, to refuse what no backend stores. */
const packable: Visitor<boolean> = {
  primitive: (value) => {
    if (typeof value === 'string') return value.isWellFormed()
    return !Object.is(value, -0)
  },
  array: (value, depth) => all(value, (item) => visit(item, packable, depth)),
  record: (value, depth) =>
    all(Object.entries(value), ([key, item]) => {
      const keeps = visit(item, packable, depth)
      return keeps && key !== '__proto__' && key.isWellFormed()
    }),
  date: (value) => !Number.isNaN(value.getTime()),
  map: (value, depth) =>
    all(value, ([key, item]) => all([key, item], (part) => visit(part, packable, depth))),
  set: (value, depth) => all(value, (item) => visit(item, packable, depth)),
  bytes: () => true,
  unsupported: (what) => new UnsupportedValueError(what),
}

/** Like `every`, without stopping at the first. */
function all<T>(items: Iterable<T>, test: (item: T) => boolean): boolean {
  let result = true
  for (const item of items) if (!test(item)) result = false
  return result
}
