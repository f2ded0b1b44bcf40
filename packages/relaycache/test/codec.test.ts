import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../src/redis/codec.ts'

describe('the encoding of values', () => {
  it('gives back an equal value', () => {
    const leaves = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: false }),
      fc.uint8Array(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.constantFrom<unknown>(
        { $: 1 },
        { $: ['date', 0] },
        { $: { $: undefined } },
        [-0],
        new Date(Number.NaN),
      ),
    )
    fc.assert(
      fc.property(leaves, (value) => {
        expect(normal(decode(Buffer.from(encode(value))))).toStrictEqual(normal(value))
      }),
    )
  })

  it('is plain JSON where JSON can say it', () => {
    expect(encode({ a: [1, 'two', null, true] })).toBe('j{"a":[1,"two",null,true]}')
    expect(encode({ a: undefined })).toBe('x{"a":{"$":["undefined"]}}')
  })

  it('does not change the value it encodes', () => {
    const value = Object.freeze({ list: Object.freeze([new Date(0), { $: 1n }]) })
    expect(() => encode(value)).not.toThrow()
    expect(value).toEqual({ list: [new Date(0), { $: 1n }] })
  })

  it('does not let keys such as __proto__ change an object', () => {
    const value: unknown = JSON.parse('{"__proto__": {"admin": true}, "when": null}')
    const decoded = decode(Buffer.from(encode(Object.assign(value as object, { when: new Date(0) })))) as {
      admin?: boolean
    }
    expect(decoded.admin).toBeUndefined()
    expect(Object.keys(decoded)).toEqual(['__proto__', 'when'])
  })

  it.each(['', 'z1', 'j', 'j{', 'x{"$":["unknown"]}', 'x{"$":1}'])('cannot be %j', (text) => {
    expect(() => decode(Buffer.from(text))).toThrow()
  })
})

/** Objects without a prototype and sparse arrays come back as ordinary ones. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, normal)
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [normal(key), normal(item)]))
  if (value instanceof Set) return new Set(Array.from(value, normal))
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array)
    return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normal(item)]))
}
