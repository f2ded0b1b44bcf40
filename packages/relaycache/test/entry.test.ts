import fc from 'fast-check'
import { expect, it } from 'vitest'
import { headerOf } from '../src/redis/entry.ts'

it('the header of an entry is JSON on one line, whatever its tags are', () => {
  const tags = fc.array(
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a"b', 'a\\', 'a\nb', 'book:1', 'ü')),
  )
  fc.assert(
    fc.property(tags, (names) => {
      const tokens = ['n', ...names.map((_, index) => `t${index}`)]
      const list = ['n', ...names.flatMap((name, index) => [name, `t${index}`])]
      expect(headerOf(names, tokens)).toBe(`R1${JSON.stringify(list)}\n`)
    }),
  )
})
