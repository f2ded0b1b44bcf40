import { PassThrough } from 'node:stream'
import type { AnswerStream, TextStream } from '../src/index.ts'

/** Streams that keep what is written to them. */
export interface Captured {
  readonly stdout: TextStream
  readonly stderr: TextStream
  readonly out: () => string
  readonly err: () => string
}

/** Makes a pair of streams; both are terminals when `isTTY` is set. */
export function capture({ isTTY = false }: { isTTY?: boolean } = {}): Captured {
  const text = { out: '', err: '' }
  const stream = (key: keyof typeof text): TextStream => ({
    isTTY,
    columns: 100,
    write: (chunk) => (text[key] += chunk),
  })
  return { stdout: stream('out'), stderr: stream('err'), out: () => text.out, err: () => text.err }
}

/** A terminal that answers with these words, and then ends. */
export function answers(words: string): AnswerStream {
  const stdin = Object.assign(new PassThrough(), { isTTY: true })
  stdin.end(words)
  return stdin
}
