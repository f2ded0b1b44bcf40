import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'

/**
 * Nothing larger is compressed, so nothing larger has to be decompressed: a small blob cannot fill the memory.
 */
export const MAX_DECOMPRESSED_BYTES: number = 64 * 1024 * 1024

/** Packs JSON better than deflate, and unpacks it faster, at about the price of the `JSON.stringify` before it. */
const QUALITY = 4

/**
 * The compressed data; `undefined` when that saves nothing, or the data is larger than {@link MAX_DECOMPRESSED_BYTES}.
 * Runs on the calling thread: handing the work to the thread pool costs more processor time than doing it, up to
 * megabytes.
 */
export function compress(data: string | Uint8Array): Buffer | undefined {
  const size = Buffer.byteLength(data)
  if (size > MAX_DECOMPRESSED_BYTES) return undefined
  const compressed = brotliCompressSync(data, {
    params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: size },
  })
  return compressed.length < size ? compressed : undefined
}

/** @throws {RangeError} for more than {@link MAX_DECOMPRESSED_BYTES} @throws {Error} unless {@link compress} made it */
export function decompress(data: Buffer): Buffer {
  return brotliDecompressSync(data, { maxOutputLength: MAX_DECOMPRESSED_BYTES })
}
