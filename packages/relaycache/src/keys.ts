import { createHash } from 'node:crypto'
import { UnsupportedKeyError } from './errors.ts'
import { describe } from './options.ts'
import { visit, type Visitor } from './plain-data.ts'

/**
 * A short text that is equal for equal values, in every process: the SHA-256 of the canonical form, in base64url.
 * Equal means what it means for arguments: the order of object keys does not count, the type does (`1` is not `'1'`).
 *
 * @throws {UnsupportedKeyError} for functions, symbols, class instances and cycles
 * @example
 * hashKey({ q: 'dune', page: 1 }) === hashKey({ page: 1, q: 'dune' }) // true
 */
export function hashKey(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('base64url')
}

/** `name(1,"a")`: different arguments give different text, equal ones the same. @throws {UnsupportedKeyError} */
export function callKey(name: string, args: readonly unknown[]): string {
  let text = `${name}(`
  for (let i = 0; i < args.length; i++) text += i === 0 ? canonical(args[i]) : `,${canonical(args[i])}`
  return `${text})`
}

/**
 * The key itself.
 * @throws {TypeError} when it is not a string
 * @throws {UnsupportedKeyError} when it has a lone surrogate: in UTF-8 it would be another key
 */
export function wellFormedKey(key: string): string {
  if (typeof key !== 'string') throw new TypeError(`Expected key to be a string, got ${describe(key)}`)
  if (key.isWellFormed()) return key
  throw new UnsupportedKeyError('text with a lone surrogate')
}

function canonical(value: unknown, depth = 0): string {
  if (typeof value === 'number') return value === 0 && 1 / value < 0 ? '-0' : `${value}`
  if (typeof value === 'string') return quote(value)
  return visit(value, canonicalVisitor, depth)
}

const canonicalVisitor: Visitor<string> = {
  primitive: (value) => (typeof value === 'bigint' ? `${value}n` : String(value)),
  array: (value, depth) => `[${Array.from(value, (item) => canonical(item, depth)).join(',')}]`,
  record: (value, depth) =>
    `{${Object.keys(value)
      .toSorted()
      .map((key) => `${quote(key)}:${canonical(value[key], depth)}`)
      .join(',')}}`,
  date: (value) => `Date(${value.getTime()})`,
  map: (value, depth) => {
    const entries = Array.from(value, ([key, item]) => `${canonical(key, depth)}=>${canonical(item, depth)}`)
    return `Map{${entries.toSorted().join(',')}}`
  },
  set: (value, depth) =>
    `Set{${Array.from(value, (item) => canonical(item, depth))
      .toSorted()
      .join(',')}}`,
  bytes: (value) => `Bytes(${Buffer.from(value).toString('base64')})`,
  unsupported: (what) => new UnsupportedKeyError(what),
}

/** Characters that JSON escapes and that would make the quoted text ambiguous, here or after UTF-8 encoding. */
const NEEDS_ESCAPE = /["\\\ud800-\udfff]/

/** The text in double quotes. What follows them cannot be taken for a part of it. */
export function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`
}
