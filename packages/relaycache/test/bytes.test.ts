import fc from 'fast-check'
import { expect, it } from 'vitest'
import { endOfBytes, endOfText, hexNumberAt } from '../src/redis/bytes.ts'

const text = fc.string({ unit: 'grapheme' })

it('a text ends where its UTF-8 does, wherever it stands', () => {
  fc.assert(
    fc.property(text, text, text, (before, part, after) => {
      const bytes = Buffer.from(before + part + after)
      const from = Buffer.byteLength(before)
      const end = from + Buffer.byteLength(part)
      expect([endOfText(bytes, from, part), endOfBytes(bytes, from, Buffer.from(part))]).toEqual([end, end])
    }),
  )
})

it('another text ends nowhere, nor does one that the bytes are too short for', () => {
  fc.assert(
    fc.property(text, text, (stored, other) => {
      const bytes = Buffer.from(stored)
      const expected = bytes.subarray(0, Buffer.byteLength(other)).equals(Buffer.from(other))
        ? Buffer.byteLength(other)
        : -1
      expect([endOfText(bytes, 0, other), endOfBytes(bytes, 0, Buffer.from(other))]).toEqual([
        expected,
        expected,
      ])
    }),
  )
  expect([
    endOfText(Buffer.from('ab'), -1, 'ab'),
    endOfBytes(Buffer.from('ab'), -1, Buffer.from('b')),
  ]).toEqual([-1, -1])
})

it('a hexadecimal number ends at the first character that is no digit of it', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 0xffff_ffff }),
      fc.constantFrom('', '\n', 'g', 'A', '/', ':'),
      (number, after) => {
        const digits = number.toString(16)
        expect(hexNumberAt(Buffer.from(`x${digits}${after}`), 1)).toEqual({ number, end: digits.length + 1 })
      },
    ),
  )
})
