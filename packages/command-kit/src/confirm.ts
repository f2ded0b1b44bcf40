import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { LineWriter } from './output.ts'
import { usage } from './values.ts'

/** Where answers come from: `process.stdin`. */
export type AnswerStream = Readable & { readonly isTTY?: boolean | undefined }

/**
 * Asks a question and waits for `y` or `yes`; anything else, and the end of the input, is a no.
 * @throws {CommandError} when there is no terminal to ask
 * @throws the signal's reason when it aborts
 */
export async function askForConsent(
  question: string,
  { stdin, stderr, signal }: { stdin: AnswerStream | undefined; stderr: LineWriter; signal: AbortSignal },
): Promise<boolean> {
  if (stdin?.isTTY !== true)
    throw usage(`Cannot ask "${question}" without a terminal: use --yes to answer with yes`)
  signal.throwIfAborted()
  stderr.write(`${question} [y/N]`)
  const reader = createInterface({ input: stdin })
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      reader.once('line', resolve)
      reader.once('close', () => resolve(''))
    })
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    reader.close()
  }
}
