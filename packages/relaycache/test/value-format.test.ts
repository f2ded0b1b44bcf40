import { deserialize, serialize } from 'node:v8'
import { brotliCompressSync, crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { msgpackSerializer } from '../src/msgpack/index.ts'
import { MAX_DECOMPRESSED_BYTES } from '../src/redis/compression.ts'
import { jsonSerializer, type Serializer } from '../src/redis/serializer.ts'
import { ValueFormat } from '../src/redis/value-format.ts'

const v8Serializer: Serializer = { name: 'v8', encode: serialize, decode: deserialize }
const value = { list: Array.from({ length: 60 }, (_, id) => ({ id, title: `Book ${id % 5}` })) }

function bodyOf(format: ValueFormat, given: unknown = value): Buffer {
  return Buffer.from(format.encode(given).body)
}

function forged(kind: string, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${kind} ${crc32(data).toString(16)}\n`), data])
}

describe.each([jsonSerializer, msgpackSerializer, v8Serializer])('a value stored as $name', (serializer) => {
  const plain = new ValueFormat({ serializer })
  const compressing = new ValueFormat({ serializer, compressAbove: 100 })

  it('comes back, compressed or not, whatever the setting of the reader', () => {
    expect(bodyOf(compressing).length).toBeLessThan(bodyOf(plain).length / 3)
    for (const writer of [plain, compressing]) {
      for (const reader of [plain, compressing]) {
        expect(reader.decode(bodyOf(writer))).toEqual(value)
      }
    }
  })

  it('is copied for each caller that asks', () => {
    const bytes = { bytes: Buffer.from('ab') }
    const { copy } = compressing.encode(bytes)
    const [one, other] = [copy(), copy()] as (typeof bytes)[]
    one?.bytes.fill(0)
    expect(other).toStrictEqual(bytes)
    const body = bodyOf(plain, bytes)
    ;(plain.decode(body) as typeof bytes).bytes.fill(0)
    expect(plain.decode(body)).toStrictEqual(bytes)
  })

  it.each([
    ['plain', plain],
    ['compressed', compressing],
  ])('is refused when its %s form was truncated or has a wrong bit', (_, format) => {
    const body = bodyOf(format)
    for (let length = 0; length < body.length; length += 1) {
      expect(() => format.decode(body.subarray(0, length))).toThrow()
      const damaged = Buffer.from(body)
      damaged[length] = (damaged[length] ?? 0) ^ 1
      expect(() => format.decode(damaged)).toThrow()
    }
    expect(() => format.decode(Buffer.concat([body, Buffer.of(0)]))).toThrow('A cached value is damaged')
  })

  it('is refused when another serializer or nobody known wrote it', () => {
    const data = Buffer.from(serializer.encode(value))
    const other = `${serializer.name}2`
    expect(() => plain.decode(forged(other, data))).toThrow('another format')
    expect(() => plain.decode(forged(`${serializer.name}+gzip`, data))).toThrow('another format')
    expect(() => plain.decode(data)).toThrow()
    expect(() => plain.decode(forged(`${serializer.name}+br`, data))).toThrow()
  })
})

describe('compression', () => {
  const format = new ValueFormat({ compressAbove: 100 })

  it('is left out for what is not above the limit, and for what it would not make smaller', () => {
    expect(bodyOf(format, 'x'.repeat(97)).toString()).toMatch(/^json [0-9a-f]+\nj"x/)
    expect(bodyOf(format, 'x'.repeat(98)).toString()).toMatch(/^json\+br /)
    const noise = Array.from({ length: 1000 }, (_, index) => crc32(`${index}`).toString(36)).join('')
    const incompressible: Serializer = { ...jsonSerializer, encode: () => brotliCompressSync(noise) }
    const body = bodyOf(new ValueFormat({ serializer: incompressible, compressAbove: 0 }))
    expect(body.toString('latin1')).toMatch(/^json [0-9a-f]+\n/)
  })

  it('does not unpack more than its limit, and packs no more', () => {
    const bomb = brotliCompressSync(Buffer.alloc(MAX_DECOMPRESSED_BYTES + 1, 0x20))
    expect(bomb.length).toBeLessThan(1000)
    expect(() => format.decode(forged('json+br', bomb))).toThrow(RangeError)
    const huge: Serializer = { ...jsonSerializer, encode: () => Buffer.alloc(MAX_DECOMPRESSED_BYTES + 1) }
    const body = bodyOf(new ValueFormat({ serializer: huge, compressAbove: 0 }))
    expect(body.length).toBeGreaterThan(MAX_DECOMPRESSED_BYTES)
  })

  it.each([-1, 1.5, Number.NaN, '10', null])('cannot begin above %j', (compressAbove) => {
    expect(() => new ValueFormat({ compressAbove: compressAbove as number })).toThrow(
      'Expected compressAbove to be an integer >= 0 or Infinity, got',
    )
  })
})

describe('a serializer', () => {
  it('has a name that fits into one line, and two functions', () => {
    for (const name of ['', 'JSON', 'a b', 'a\n', 'x'.repeat(33), 1, undefined]) {
      const serializer = { ...jsonSerializer, name } as Serializer
      expect(() => new ValueFormat({ serializer })).toThrow('Expected the name of serializer to be')
    }
    for (const serializer of [{}, { name: 'x', encode() {} }, 'json', null]) {
      expect(() => new ValueFormat({ serializer: serializer as unknown as Serializer })).toThrow(
        'Expected serializer to be an object with name, encode and decode, got',
      )
    }
  })

  it('must make text or bytes', () => {
    const late = { ...jsonSerializer, encode: async () => 'text' }
    expect(() => new ValueFormat({ serializer: late as unknown as Serializer }).encode(1)).toThrow(
      'Expected the serializer to make a string or a Uint8Array, got object',
    )
  })
})

describe('msgpackSerializer', () => {
  const keep = (given: unknown): unknown =>
    msgpackSerializer.decode(Buffer.from(msgpackSerializer.encode(given)))

  it('gives back what the default gives back', () => {
    const leaves = fc.oneof(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withNullPrototype: true,
        withSparseArray: true,
      }),
      fc.uint8Array(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.string({ unit: 'binary' }),
      fc.bigInt(),
    )
    fc.assert(
      fc.property(leaves, (given) => {
        expect(keep(given)).toStrictEqual(jsonSerializer.decode(Buffer.from(jsonSerializer.encode(given))))
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    [-0],
    [new Date(Number.NaN)],
    ['\ud800'],
    [{ '\ud800': 1 }],
    [JSON.parse('{"__proto__": {"admin": true}}')],
    [new Map([['__proto__', [undefined, { a: -0 }]]])],
  ])('keeps %o, which MessagePack has not', (given) => {
    expect(keep(given)).toStrictEqual(given)
  })

  it('does not share bytes with what it decodes', () => {
    const data = Buffer.from(
      msgpackSerializer.encode({ buffer: Buffer.from('ab'), bytes: new Uint8Array(2) }),
    )
    const before = Buffer.from(data)
    const decoded = msgpackSerializer.decode(data) as { buffer: Buffer; bytes: Uint8Array }
    decoded.buffer.fill(1)
    decoded.bytes.fill(1)
    expect(data).toEqual(before)
  })
})
