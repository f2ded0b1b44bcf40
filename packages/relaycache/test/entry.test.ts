import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bodyUnder, headerOf, newStamp } from '../src/redis/entry.ts'
import { TOKEN_LENGTH } from '../src/redis/scripts.ts'

const tags = fc.array(
  fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a"b', 'a\\', 'a\nb', 'book:1', 'ü')),
)
const tokensOf = (names: readonly string[]) => ['n', ...names.map((_, index) => `t${index}`)]

it('the header of an entry is JSON on one line, whatever its tags are', () => {
  fc.assert(
    fc.property(tags, (names) => {
      const list = ['n', ...names.flatMap((name, index) => [name, `t${index}`])]
      expect(headerOf(names, tokensOf(names))).toBe(`R2${JSON.stringify(list)}\n`)
    }),
  )
})

it('the value of an entry begins behind the header that it was stored with, and behind no other', () => {
  fc.assert(
    fc.property(tags, tags, (names, others) => {
      const tokens = tokensOf(names)
      const before = `${'x'.repeat(TOKEN_LENGTH)}${newStamp(1000)}${headerOf(names, tokens)}`
      const blob = Buffer.from(`${before}value`)
      const bytesOf = (list: readonly string[]) => list.map((token) => Buffer.from(token))
      expect(bodyUnder(names, bytesOf(tokens), blob)).toBe(Buffer.byteLength(before))
      expect(bodyUnder(names, bytesOf(['other', ...tokens.slice(1)]), blob)).toBe(-1)
      expect(bodyUnder(names, bytesOf(tokens), blob.subarray(0, Buffer.byteLength(before) - 1))).toBe(-1)
      fc.pre(JSON.stringify(names) !== JSON.stringify(others))
      expect(bodyUnder(others, bytesOf(tokensOf(others)), blob)).toBe(-1)
    }),
  )
})
