import { visit, type Visitor } from '../plain-data.ts'

const WORD_BYTES = 8
/** What V8 spends on an empty object, array or string. */
const OBJECT_BYTES = 48
/** An entry of a Map or a Set, with the free places of its table. */
const SLOT_BYTES = 40

/**
 * About how many bytes of memory a value takes. Text counts two bytes a character, so the estimate is rather too high.
 * @throws {TypeError} when it is not plain data
 */
export function sizeOf(value: unknown): number {
  return visit(value, sizing)
}

const sizing: Visitor<number> = {
  primitive: (value) => (typeof value === 'string' ? OBJECT_BYTES + 2 * value.length : 2 * WORD_BYTES),
  array: (value, depth) => sum(value, (item) => visit(item, sizing, depth)),
  record: (value, depth) => sum(Object.values(value), (item) => WORD_BYTES + visit(item, sizing, depth)),
  date: () => 2 * OBJECT_BYTES,
  map: (value, depth) =>
    sum(value, ([key, item]) => SLOT_BYTES + visit(key, sizing, depth) + visit(item, sizing, depth)),
  set: (value, depth) => sum(value, (item) => SLOT_BYTES + visit(item, sizing, depth)),
  bytes: (value) => 2 * OBJECT_BYTES + value.byteLength,
  // What is measured has been copied before, so that it is plain data.
  unsupported: (what) => new TypeError(`Cannot measure ${what}`),
}

function sum<T>(items: Iterable<T>, bytesOf: (item: T) => number): number {
  let bytes = OBJECT_BYTES
  for (const item of items) bytes += bytesOf(item)
  return bytes
}
