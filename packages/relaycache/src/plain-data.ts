import { types } from 'node:util'

/** Deeper values count as cyclic. */
const MAX_DEPTH = 500

type Primitive = string | number | bigint | boolean | null | undefined

/**
 * What to do with each kind of plain data. Keys, copies and encodings accept the same kinds, so that a value which
 * one backend stores is stored by the others. `depth` is handed on to {@link visit} for what a value contains.
 */
export interface Visitor<R> {
  primitive(value: Primitive): R
  array(value: readonly unknown[], depth: number): R
  record(value: Readonly<Record<string, unknown>>, depth: number): R
  date(value: Date): R
  map(value: ReadonlyMap<unknown, unknown>, depth: number): R
  set(value: ReadonlySet<unknown>, depth: number): R
  bytes(value: Uint8Array): R
  /** Makes the error for a function, a symbol (also as a key), a class instance or a cycle. */
  unsupported(what: string): Error
}

/** Calls the method of `visitor` for the kind of `value`. @throws the visitor's error when it has none */
export function visit<R>(value: unknown, visitor: Visitor<R>, depth = 0): R {
  if (typeof value === 'symbol' || typeof value === 'function') throw visitor.unsupported(`a ${typeof value}`)
  if (typeof value !== 'object' || value === null) return visitor.primitive(value as Primitive)
  if (depth > MAX_DEPTH) throw visitor.unsupported(`a cycle or more than ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) return visitor.array(value, depth + 1)
  if (isRecord(value)) {
    if (hasSymbolKey(value)) throw visitor.unsupported('a symbol key')
    return visitor.record(value, depth + 1)
  }
  if (types.isDate(value)) return visitor.date(value)
  if (types.isMap(value)) return visitor.map(value, depth + 1)
  if (types.isSet(value)) return visitor.set(value, depth + 1)
  if (types.isUint8Array(value)) return visitor.bytes(value)
  throw visitor.unsupported(`an instance of ${className(value)}`)
}

/** An object literal of this or another realm: its prototype is null or an `Object.prototype`. */
function isRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

function hasSymbolKey(value: object): boolean {
  return Object.getOwnPropertySymbols(value).some((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key),
  )
}

function className({ constructor }: Partial<object>): string {
  return typeof constructor === 'function' && constructor.name !== ''
    ? constructor.name
    : 'a class without a name'
}
