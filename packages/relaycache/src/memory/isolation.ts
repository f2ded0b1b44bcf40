import { UnsupportedValueError } from '../errors.ts'
import { visit, type Visitor } from '../plain-data.ts'

/**
 * How a memory backend keeps its values apart from those of its callers.
 * - `freeze`: every caller gets the same frozen copy of plain objects and arrays; a value that holds a Date, Map,
 *   Set, Buffer or Uint8Array is copied for every caller.
 * - `clone`: every caller gets a copy.
 * - `shared`: every caller gets the very value that was computed. Anything can be stored this way.
 */
export type Isolation = 'freeze' | 'clone' | 'shared'

/** A value as it is held in memory, and whether it must be copied for each reader. */
export interface Isolated {
  readonly value: unknown
  readonly copyOnRead: boolean
}

/** The form in which `value` is held. @throws {UnsupportedValueError} when it cannot be copied */
export function isolate(value: unknown, isolation: Isolation): Isolated {
  if (isolation === 'shared') return { value, copyOnRead: false }
  if (isolation === 'freeze' && visit(value, freezable))
    return { value: visit(value, freezing), copyOnRead: false }
  return { value: clone(value), copyOnRead: true }
}

/** The value for one reader. */
export function read({ value, copyOnRead }: Isolated): unknown {
  return copyOnRead ? clone(value) : value
}

/** A deep copy of plain data. @throws {UnsupportedValueError} when it is not plain data */
function clone(value: unknown): unknown {
  return visit(value, cloning)
}

const unsupported = (what: string): Error => new UnsupportedValueError(what)

const cloning: Visitor<unknown> = {
  primitive: (value) => value,
  array: (value, depth) => Array.from(value, (item) => visit(item, cloning, depth)),
  record: (value, depth) => mapRecord(value, (item) => visit(item, cloning, depth)),
  date: (value) => new Date(value),
  map: (value, depth) =>
    new Map(Array.from(value, ([key, item]) => [visit(key, cloning, depth), visit(item, cloning, depth)])),
  set: (value, depth) => new Set(Array.from(value, (item) => visit(item, cloning, depth))),
  bytes: (value) => (Buffer.isBuffer(value) ? Buffer.from(value) : new Uint8Array(value)),
  unsupported,
}

/** Copies and freezes what {@link freezable} accepts. */
const freezing: Visitor<unknown> = {
  ...cloning,
  array: (value, depth) => Object.freeze(Array.from(value, (item) => visit(item, freezing, depth))),
  record: (value, depth) => Object.freeze(mapRecord(value, (item) => visit(item, freezing, depth))),
}

/** Whether freezing makes the value immutable: a frozen Date, Map, Set or Buffer can still be changed. */
const freezable: Visitor<boolean> = {
  primitive: () => true,
  array: (value, depth) => value.every((item) => visit(item, freezable, depth)),
  record: (value, depth) => Object.values(value).every((item) => visit(item, freezable, depth)),
  date: () => false,
  map: () => false,
  set: () => false,
  bytes: () => false,
  unsupported,
}

/** A copy of an object with each value mapped; own keys such as `__proto__` stay plain keys. */
function mapRecord(record: Readonly<Record<string, unknown>>, map: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}
