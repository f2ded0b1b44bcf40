import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { CommandError } from '../errors.ts'
import { ExitCode } from '../exit-code.ts'
import { usage } from '../values.ts'

/** Why a row was not imported. */
export interface Reject {
  /** The number of the record in the source, the header not counted, from 1. */
  readonly record: number
  /** The line on which the record begins, from 1; undefined where the source has no lines. */
  readonly line: number | undefined
  /** The column by its standard name; undefined when the record as a whole is wrong. */
  readonly column: string | undefined
  /** What it broke: `columns`, `quotes`, `encoding`, `dtype`, `converter`, `no-null` or `nan`. */
  readonly rule: string
  readonly message: string
}

/**
 * Counts rejected rows and writes them to a CSV file, which is there only when a row was rejected. A row counts once,
 * whatever number of its columns is wrong.
 */
export class Rejects {
  readonly #file: string
  #stream: WriteStream | undefined
  #failure: unknown
  #count = 0

  private constructor(file: string) {
    this.#file = file
  }

  /** Removes the file of an earlier run. */
  static async open(file: string): Promise<Rejects> {
    await rm(file, { force: true })
    return new Rejects(file)
  }

  /** Rows rejected so far. */
  get count(): number {
    return this.#count
  }

  /** The file, once a row was rejected. */
  get file(): string | undefined {
    return this.#stream && this.#file
  }

  /** Adds the rejects of rows, each row once or, for several columns, several times in a row. */
  add(rejects: readonly Reject[]): void {
    if (rejects.length === 0) return
    this.#count += new Set(rejects.map(({ record }) => record)).size
    this.#write(rejects.map(toLine).join(''))
  }

  /** Ends the file. @throws {CommandError} when it could not be written */
  async close(): Promise<void> {
    const stream = this.#stream
    if (!stream) return
    if (!this.#failure) {
      stream.end()
      await once(stream, 'close').catch(() => {})
    }
    if (this.#failure) throw new CommandError(`Cannot write ${this.#file}`, { cause: this.#failure })
  }

  #write(text: string): void {
    if (!this.#stream) {
      this.#stream = createWriteStream(this.#file)
      this.#stream.once('error', (error) => (this.#failure = error))
      this.#stream.write('record,line,column,rule,message\n')
    }
    this.#stream.write(text)
  }
}

function toLine({ record, line, column, rule, message }: Reject): string {
  return `${[record, line, column, rule, message].map(toField).join(',')}\n`
}

function toField(value: string | number | undefined): string {
  const text = String(value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A value as a message shows it: quoted, and cut where it is long. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value)
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

/** How many rows may be rejected. */
export type MaxErrors = { readonly count: number } | { readonly percent: number }

/** Reads `'100'`, `'2.5%'` or `'all'`. @throws {CommandError} for anything else */
export function parseMaxErrors(text: string): MaxErrors {
  if (text === 'all') return { count: Infinity }
  const [, number, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? []
  if (percent === '%' && Number(number) <= 100) return { percent: Number(number) }
  if (percent === '' && Number.isInteger(Number(number))) return { count: Number(number) }
  throw usage(`Expected --max-errors to be a number, a percentage or all, got ${JSON.stringify(text)}`)
}

/**
 * Ends an import that rejected too much. A percentage is judged at the end only.
 * @throws {CommandError} with {@link ExitCode.tooManyRejected}
 */
export function checkMaxErrors(
  max: MaxErrors,
  { rejected, read, isEnd }: { rejected: number; read: number; isEnd: boolean },
): void {
  const isTooMany = 'count' in max ? rejected > max.count : isEnd && rejected * 100 > max.percent * read
  if (!isTooMany) return
  const allowed = 'count' in max ? `${max.count}` : `${max.percent} %`
  throw new CommandError(`Rejected ${rejected} of ${read} rows, allowed are ${allowed}`, {
    exitCode: ExitCode.tooManyRejected,
  })
}
