import { spawnChild } from '@outrider/test-kit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashKey, UnsupportedKeyError } from '../src/index.ts'
import { callKey } from '../src/keys.ts'

const key = (...args: unknown[]) => callKey('f', args)

describe('keys of arguments', () => {
  it('differ where the arguments differ', () => {
    const calls: unknown[][] = [
      [], [undefined], [null], [0], [-0], [Number.NaN], [1], ['1'], [1n], [true], ['true'], [Infinity], ['undefined'],
      [1, 2], ['1,2'], [[1, 2]], [['1', 2]], [{}], [[]], [{ a: 1 }], [{ a: undefined }], [{ a: { b: 1 } }],
      [new Date(0)], [new Date(1)], [new Date(Number.NaN)], [new Date(0).toISOString()], [new Map()], [new Set()],
      [new Map([[1, 2]])], [new Map([['1', 2]])], [{ 1: 2 }], [new Set([1, 2])], [Buffer.from('a')], [Buffer.from('b')],
      ['"'], ['\\'], ['"","'], ['', ''], ['\ud800'], ['\udc00'], ['\ufffd'], ['"),f("'],
    ] // prettier-ignore
    expect(new Set(calls.map((args) => key(...args))).size).toBe(calls.length)
  })

  it('do not depend on the order of object keys, map entries and set members', () => {
    expect(key({ a: 1, b: { c: 2, d: 3 } })).toBe(key({ b: { d: 3, c: 2 }, a: 1 }))
    expect(key(new Map([[1, 2], [3, 4]]))).toBe(key(new Map([[3, 4], [1, 2]]))) // prettier-ignore
    expect(key(new Set(['a', 'b']))).toBe(key(new Set(['b', 'a'])))
  })

  it('are equal exactly for equal values', () => {
    const values = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: false,
    })
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(key(a)).toBe(key(structuredClone(a)))
        fc.pre(!isEqual(a, b))
        expect(key(a)).not.toBe(key(b))
      }),
    )
  })

  it('cannot be made from functions, symbols, class instances and cycles', () => {
    class User {
      name = 'Ada'
    }
    const cycle: unknown[] = []
    cycle.push(cycle)
    const nameless = Object.defineProperty(new User(), 'constructor', { value: undefined })
    for (const arg of [anonymous, Symbol('s'), { deep: [Symbol('s')] }, new User(), cycle, /x/, nameless]) {
      expect(() => key(arg)).toThrow(UnsupportedKeyError)
    }
    expect(() => key(new User())).toThrow(
      'Cannot make a cache key from an instance of User; give a key function that picks plain data',
    )
  })
})

describe('members with a symbol for a key', () => {
  const gt = Symbol('gt')

  it('make no key, at any depth', () => {
    expect(() => key({ age: { [gt]: 18 } })).toThrow('Cannot make a cache key from a symbol key')
    expect(() => hashKey([{ [gt]: 18, age: 1 }])).toThrow(UnsupportedKeyError)
  })

  it('do not matter where they are not enumerable', () => {
    expect(key(Object.defineProperty({ age: 18 }, gt, { value: 1 }))).toBe(key({ age: 18 }))
  })
})

describe('hashKey', () => {
  it('is short and stands for the canonical value', () => {
    expect(hashKey({ q: 'dune', page: 1 })).toBe(hashKey({ page: 1, q: 'dune' }))
    expect(hashKey('1')).not.toBe(hashKey(1))
    expect(hashKey('x'.repeat(100_000))).toHaveLength(43)
  })

  it('is the same in every process', async () => {
    const elsewhere = await spawnChild(new URL('fixtures/hash-key.ts', import.meta.url)).exited
    expect(elsewhere).toMatchObject({ code: 0, stdout: hashKey({ page: 1, q: 'dune' }) })
    expect(elsewhere.stdout).toBe('b6hRzntkZus3Ye1jwb23bTDi81vBbuoa5n1CWmM_DkE')
  })
})

function anonymous(): void {}

/** Equality with the rules of keys: object keys and the members of maps and sets have no order. */
function isEqual(a: unknown, b: unknown): boolean {
  try {
    expect(a).toStrictEqual(b)
    return true
  } catch {
    return false
  }
}
