import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CommandError } from '../errors.ts'
import { usage } from '../values.ts'

/** An opened source of text. */
export interface Source {
  /** What errors call it. */
  readonly label: string
  /** Its size as stored, in bytes; undefined for standard input. */
  readonly totalBytes: number | undefined
  readonly delimiter: ',' | '\t'
  /** Its bytes, unpacked. */
  readonly chunks: AsyncIterable<Buffer>
  /** Bytes read so far, as stored. */
  readBytes(): number
}

/**
 * Opens a file, unpacked when its name ends in `.gz`, or standard input for `-`. A name that ends in `.tsv` has tabs
 * between its columns.
 * @throws {CommandError} when there is no such file, or no standard input
 */
export async function openSource(file: string, stdin: Readable | undefined): Promise<Source> {
  const isTsv = /\.tsv(\.gz)?$/i.test(file)
  const size = file === '-' ? undefined : await sizeOf(file)
  if (file === '-' && !stdin) throw usage('There is no standard input to read')
  const stored = file === '-' && stdin ? stdin : createReadStream(file, { highWaterMark: 256 * 1024 })
  let readBytes = 0
  const counted = async function* (): AsyncGenerator<Buffer, void> {
    for await (const chunk of stored) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
      readBytes += bytes.length
      yield bytes
    }
  }
  return {
    label: file === '-' ? 'standard input' : file,
    totalBytes: size,
    delimiter: isTsv ? '\t' : ',',
    chunks: /\.gz$/i.test(file) ? unpacked(counted(), file) : counted(),
    readBytes: () => readBytes,
  }
}

async function sizeOf(file: string): Promise<number> {
  const stats = await stat(file).catch((cause: unknown) => {
    throw new CommandError(`Cannot read ${file}`, { cause })
  })
  if (!stats.isFile()) throw new CommandError(`Cannot read ${file}: it is not a file`)
  return stats.size
}

async function* unpacked(chunks: AsyncIterable<Buffer>, file: string): AsyncGenerator<Buffer, void> {
  const gunzip = createGunzip()
  const packed = Readable.from(chunks).once('error', (error) => gunzip.destroy(error))
  try {
    for await (const chunk of packed.pipe(gunzip)) yield chunk as Buffer
  } catch (cause) {
    throw new CommandError(`${file} is not a whole gzip file`, { cause })
  } finally {
    packed.destroy()
  }
}
