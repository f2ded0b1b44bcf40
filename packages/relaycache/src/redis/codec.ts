import { UnsupportedValueError } from '../errors.ts'
import { visit, type Visitor } from '../plain-data.ts'

/**
 * JSON for what JSON can say (marked `j`); otherwise JSON in which `{"$": [type, content]}` stands for a value of
 * that type (marked `x`). Only the second form costs a walk when it is read.
 */
const PLAIN = 'j'
const EXTENDED = 'x'

/** The text of a value. @throws {UnsupportedValueError} for functions, symbols, class instances and cycles */
export function encode(value: unknown): string {
  const json = visit(value, toJson)
  return (json === value ? PLAIN : EXTENDED) + JSON.stringify(json)
}

/** The value of a text in UTF-8. @throws when it is not one of {@link encode} */
export function decode(data: Buffer): unknown {
  const json: unknown = JSON.parse(data.toString('utf8', 1))
  if (data[0] === PLAIN.charCodeAt(0)) return json
  if (data[0] === EXTENDED.charCodeAt(0)) return fromJson(json)
  throw new Error('Unknown encoding of a cached value')
}

type Extension = keyof typeof revivers

function extension(type: Extension, content?: unknown): { $: unknown[] } {
  return { $: content === undefined ? [type] : [type, content] }
}

/** Gives back the same array or object where nothing in it needs an extension. */
const toJson: Visitor<unknown> = {
  primitive: (value) => {
    if (value === undefined) return extension('undefined')
    if (typeof value === 'bigint') return extension('bigint', `${value}`)
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
      return extension('number', Object.is(value, -0) ? '-0' : `${value}`)
    }
    return value
  },
  array: (value, depth) => {
    const json = Array.from(value, (item) => visit(item, toJson, depth))
    return json.every((item, index) => item === value[index]) ? value : json
  },
  record: (value, depth) => {
    const json = Object.entries(value).map(([key, item]) => [key, visit(item, toJson, depth)] as const)
    const changed = json.some(([key, item]) => item !== value[key])
    const record = changed ? Object.fromEntries(json) : value
    return '$' in value ? extension('object', record) : record
  },
  date: (value) => extension('date', Number.isNaN(value.getTime()) ? null : value.getTime()),
  map: (value, depth) =>
    extension(
      'map',
      Array.from(value, ([key, item]) => [visit(key, toJson, depth), visit(item, toJson, depth)]),
    ),
  set: (value, depth) =>
    extension(
      'set',
      Array.from(value, (item) => visit(item, toJson, depth)),
    ),
  bytes: (value) =>
    extension(Buffer.isBuffer(value) ? 'buffer' : 'bytes', Buffer.from(value).toString('base64')),
  unsupported: (what) => new UnsupportedValueError(what),
}

const revivers = {
  undefined: () => undefined,
  bigint: (content: unknown) => BigInt(content as string),
  number: (content: unknown) => Number(content),
  date: (content: unknown) => new Date((content as number | null) ?? Number.NaN),
  map: (content: unknown) => new Map(fromJson(content) as [unknown, unknown][]),
  set: (content: unknown) => new Set(fromJson(content) as unknown[]),
  buffer: (content: unknown) => Buffer.from(content as string, 'base64'),
  bytes: (content: unknown) => new Uint8Array(Buffer.from(content as string, 'base64')),
  object: (content: unknown) => fromMembers(content as Record<string, unknown>),
}

/** Puts the values back in place: what was just parsed belongs to nobody else. */
function fromJson(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json
  if ('$' in json) {
    const [type, content] = json.$ as [Extension, unknown]
    if (!Object.hasOwn(revivers, type)) throw new Error('Unknown type in a cached value')
    return revivers[type](content)
  }
  return fromMembers(json as Record<string, unknown>)
}

function fromMembers<T extends Record<string, unknown>>(json: T): T {
  for (const [key, item] of Object.entries(json)) (json as Record<string, unknown>)[key] = fromJson(item)
  return json
}
