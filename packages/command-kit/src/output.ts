/** A stream for text: `process.stdout`, or anything that has `write`. */
export interface TextStream {
  write(text: string): unknown
  /** Whether it is a terminal. */
  readonly isTTY?: boolean | undefined
  /** Characters on a line of the terminal. */
  readonly columns?: number | undefined
}

/** Writes whole lines. */
export interface LineWriter {
  /** Writes text and ends its line, unless the text ends with a line break. */
  write(text: string): void
}

const clearLine = '\r\u001B[K'

/** The two outputs of a command, and the status line below them while there is one. */
export class Output {
  readonly stdout: LineWriter
  readonly stderr: LineWriter
  readonly #terminal: TextStream
  #status = ''

  constructor(stdout: TextStream, stderr: TextStream) {
    this.#terminal = stderr
    this.stdout = { write: (text) => this.#write(stdout, text) }
    this.stderr = { write: (text) => this.#write(stderr, text) }
  }

  /** Whether a status line can be shown. */
  get hasStatus(): boolean {
    return this.#terminal.isTTY === true
  }

  /** Characters that a status line may have. */
  get columns(): number {
    return this.#terminal.columns ?? 80
  }

  /** Shows a status line in place of the one before; empty text removes it. */
  setStatus(text: string): void {
    if (text === this.#status) return
    this.#status = text
    this.#terminal.write(clearLine + text)
  }

  #write(stream: TextStream, text: string): void {
    if (this.#status !== '') this.#terminal.write(clearLine)
    stream.write(text.endsWith('\n') ? text : `${text}\n`)
    if (this.#status !== '') this.#terminal.write(this.#status)
  }
}
