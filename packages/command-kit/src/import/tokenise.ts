import { parse, type Parser } from 'csv-parse'
import { CommandError } from '../errors.ts'
import type { Reject } from './rejects.ts'

/** A record as it stands in the source. `record` counts from 1 and leaves the header out. */
export interface SourceRecord {
  readonly record: number
  readonly line: number
  readonly values: readonly string[]
}

/** What was read at once. */
export interface Tokens {
  readonly records: readonly SourceRecord[]
  readonly rejects: readonly Reject[]
}

/** A record longer than this counts as one whose quote is never closed. */
const maxRecordBytes = 16 * 1024 * 1024

const lineFeed = 10
const carriageReturn = 13

/**
 * Cuts delimited text into records, as RFC 4180 has them. The first record is the header and has number 0. Empty lines
 * count as lines only. Bad records are rejects: of one whose quotes are wrong, its first line is rejected and reading goes
 * on with the next line; one with bytes that are no UTF-8 is rejected as a whole.
 */
export async function* tokenise(
  chunks: AsyncIterable<Buffer>,
  delimiter: string,
): AsyncGenerator<Tokens, void> {
  const tokeniser = new Tokeniser(delimiter)
  for await (const chunk of chunks) {
    await tokeniser.write(chunk)
    yield tokeniser.take()
  }
  await tokeniser.end()
  yield tokeniser.take()
}

class Tokeniser {
  readonly #delimiter: string
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  #parser: Parser
  /** Bytes from the end of the last whole record on. */
  #held: Buffer = Buffer.alloc(0)
  /** Where in the parser's input `#held` begins. */
  #heldFrom = 0
  /** Line breaks before `#held`; csv-parse counts those of Windows twice when they stand in quotes. */
  #lines = 0
  /** Whether the record that begins in `#held` is rejected and the rest of its first line is to be left out. */
  #isBroken = false
  #isFirst = true
  #hasInvalidBytes = false
  #nextRecord = 0
  #records: SourceRecord[] = []
  #rejects: Reject[] = []

  constructor(delimiter: string) {
    this.#delimiter = delimiter
    this.#parser = this.#createParser()
  }

  take(): Tokens {
    const taken = { records: this.#records, rejects: this.#rejects }
    this.#records = []
    this.#rejects = []
    return taken
  }

  async write(chunk: Buffer): Promise<void> {
    let bytes = chunk
    if (this.#isFirst) {
      this.#isFirst = false
      bytes = withoutByteOrderMark(chunk)
    }
    this.#checkEncoding(bytes)
    await this.#feed(bytes)
  }

  async end(): Promise<void> {
    this.#checkEncoding(undefined)
    for (;;) {
      const parser = this.#parser
      await new Promise<void>((resolve) => {
        parser.once('end', resolve).resume().end()
      })
      if (!this.#isBroken) return
      await this.#goOnBehindFirstLine()
    }
  }

  async #feed(bytes: Buffer): Promise<void> {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    if (!this.#isBroken) await this.#parse(bytes)
    while (this.#isBroken || this.#held.length > maxRecordBytes) {
      if (!this.#isBroken) this.#break('A quote is not closed')
      if (!this.#held.includes(lineFeed)) return this.#take(this.#held.length)
      await this.#goOnBehindFirstLine()
    }
  }

  async #parse(bytes: Buffer): Promise<void> {
    const parser = this.#parser
    await new Promise<void>((resolve) => {
      parser.write(bytes, () => resolve())
    })
  }

  /** After a record with wrong quotes: a new parser takes what follows the first line of that record. */
  async #goOnBehindFirstLine(): Promise<void> {
    this.#isBroken = false
    const lineEnd = this.#held.indexOf(lineFeed)
    this.#take(lineEnd === -1 ? this.#held.length : lineEnd + 1)
    this.#heldFrom = 0
    this.#parser.destroy()
    this.#parser = this.#createParser()
    await this.#parse(this.#held)
  }

  #createParser(): Parser {
    const parser = parse({
      delimiter: this.#delimiter,
      record_delimiter: ['\r\n', '\n'],
      relax_column_count: true,
      skip_records_with_error: true,
      skip_empty_lines: true,
      on_record: (values: string[], { bytes }) => {
        if (!this.#isBroken) this.#addRecord(values, bytes)
        return null
      },
      on_skip: (error) => {
        if (!this.#isBroken) this.#break(error?.message.replace(/ at line \d+/, '') ?? 'Wrong quotes')
        return undefined
      },
    })
    return parser.resume()
  }

  /** `end` is where the record ends in the parser's input. */
  #addRecord(values: readonly string[], end: number): void {
    this.#takeEmptyLines()
    const record = this.#nextRecord++
    const line = this.#lines + 1
    this.#take(end - this.#heldFrom)
    if (this.#hasInvalidBytes && values.some((value) => value.includes('\uFFFD')))
      this.#rejects.push({ record, line, column: undefined, rule: 'encoding', message: 'Not valid UTF-8' })
    else this.#records.push({ record, line, values })
  }

  /** Rejects the record that begins in `#held`. */
  #break(message: string): void {
    this.#isBroken = true
    this.#takeEmptyLines()
    const line = this.#lines + 1
    this.#rejects.push({ record: this.#nextRecord++, line, column: undefined, rule: 'quotes', message })
  }

  #takeEmptyLines(): void {
    for (;;) {
      const length = this.#held[0] === carriageReturn ? 2 : 1
      if (this.#held[length - 1] !== lineFeed) return
      this.#take(length)
    }
  }

  #take(length: number): void {
    const taken = this.#held.subarray(0, length)
    for (let at = taken.indexOf(lineFeed); at !== -1; at = taken.indexOf(lineFeed, at + 1)) this.#lines += 1
    this.#held = this.#held.subarray(length)
    this.#heldFrom += length
  }

  #checkEncoding(bytes: Buffer | undefined): void {
    if (this.#hasInvalidBytes) return
    try {
      this.#decoder.decode(bytes, { stream: bytes !== undefined })
    } catch {
      this.#hasInvalidBytes = true
    }
  }
}

function withoutByteOrderMark(chunk: Buffer): Buffer {
  const [a, b, c] = chunk
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff))
    throw new CommandError('The text is UTF-16: save it as UTF-8')
  return a === 0xef && b === 0xbb && c === 0xbf ? chunk.subarray(3) : chunk
}
