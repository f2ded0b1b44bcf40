import { crc32 } from 'node:zlib'
import { endOfText, hexNumberAt } from './bytes.ts'
import { describe } from '../options.ts'
import { compress, decompress } from './compression.ts'
import { checkSerializer, jsonSerializer, type Serializer } from './serializer.ts'

/** A value in the form in which it is stored. */
export interface Encoded {
  readonly body: string | Buffer
  /** Another value equal to it, decoded anew. */
  readonly copy: () => unknown
}

interface ValueFormatOptions {
  readonly serializer?: Serializer | undefined
  readonly compressAbove?: number | undefined
}

const COMPRESSED = '+br'

/**
 * How values become bodies: a line with the name of the serializer, the compression, and a CRC-32 of what follows.
 * Whatever has another first line or another checksum is refused, so that a blob of another setting, or a damaged or
 * truncated one, never becomes a value.
 */
export class ValueFormat {
  readonly #serializer: Serializer
  readonly #compressAbove: number
  readonly #plainKind: string
  readonly #compressedKind: string

  /** @throws {TypeError | RangeError} for something that is no serializer, or no size */
  constructor(options: ValueFormatOptions) {
    const { serializer = jsonSerializer, compressAbove = Infinity } = options
    this.#serializer = checkSerializer(serializer)
    if (compressAbove !== Infinity && !(Number.isSafeInteger(compressAbove) && compressAbove >= 0)) {
      throw new RangeError(
        `Expected compressAbove to be an integer >= 0 or Infinity, got ${describe(compressAbove)}`,
      )
    }
    this.#compressAbove = compressAbove
    this.#plainKind = `${this.#serializer.name} `
    this.#compressedKind = `${this.#serializer.name}${COMPRESSED} `
  }

  /** @throws {UnsupportedValueError} for what cannot be stored, or whatever the serializer throws */
  encode(value: unknown): Encoded {
    const serializer = this.#serializer
    const data: unknown = serializer.encode(value)
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw new TypeError(`Expected the serializer to make a string or a Uint8Array, got ${typeof data}`)
    }
    const compressed = Buffer.byteLength(data) > this.#compressAbove ? compress(data) : undefined
    return {
      body: bodyOf(`${serializer.name}${compressed ? COMPRESSED : ''}`, compressed ?? data),
      copy: () => serializer.decode(Buffer.from(data)),
    }
  }

  /**
   * The value of the body that begins somewhere in a blob and reaches to its end.
   * @throws when it is not one of {@link encode} with this serializer; compressed or not does not matter
   */
  decode(blob: Buffer, from = 0): unknown {
    const plain = endOfText(blob, from, this.#plainKind)
    const isCompressed = plain < 0
    const kindEnd = isCompressed ? endOfText(blob, from, this.#compressedKind) : plain
    if (kindEnd < 0) throw new Error('A cached value has another format')
    const { number: checksum, end } = hexNumberAt(blob, kindEnd)
    const dataStart = endOfText(blob, end, '\n')
    const data = blob.subarray(dataStart)
    if (dataStart < 0 || checksum !== crc32(data)) throw new Error('A cached value is damaged')
    if (isCompressed) return this.#serializer.decode(decompress(data))
    if (this.#serializer === jsonSerializer) return jsonSerializer.decode(data)
    // The reply is shared by those who asked for it together, and decoded bytes may be a view of what they came from.
    return this.#serializer.decode(Buffer.from(data))
  }
}

/** Text in front of text or bytes. */
export function joined(head: string, data: string | Uint8Array): string | Buffer {
  return typeof data === 'string' ? head + data : Buffer.concat([Buffer.from(head), data])
}

function bodyOf(kind: string, data: string | Uint8Array): string | Buffer {
  return joined(`${kind} ${checksumOf(data)}\n`, data)
}

function checksumOf(data: string | Uint8Array): string {
  return crc32(data).toString(16)
}
