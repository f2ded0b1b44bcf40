import type { AnswerStream } from './confirm.ts'
import type { Log } from './log.ts'
import type { TextStream } from './output.ts'
import type { Environment } from './style.ts'
import { didYouMean } from '@outrider/options'

/** What a command runs in. */
export interface CommandEnvironment<Context = unknown> {
  /**
   * What `this.context` is: a value, or a function that makes it when a command runs (and not for the help). What the
   * function made is disposed after the command, when it has `Symbol.asyncDispose` or `Symbol.dispose`.
   */
  readonly context?: Context | (() => Context | Promise<Context>)
  /** Where results go. */
  readonly stdout?: TextStream
  /** Where everything else goes. */
  readonly stderr?: TextStream
  /** Where answers to questions come from; without a terminal a question is an error. */
  readonly stdin?: AnswerStream
  /** Stops the command when it aborts; with a {@link CommandError} as its reason, that decides the exit code. */
  readonly signal?: AbortSignal
  /** Replaces the log on stderr, for example by pino. `--verbosity` has no say in it. */
  readonly log?: Log
  /** Variables, of which NO_COLOR and FORCE_COLOR are read. */
  readonly env?: Environment
  /** How long a stopped command may take to end by itself before it is left behind, in milliseconds. @default 5000 */
  readonly graceMs?: number
}

export const environmentKeys: readonly string[] = [
  'context',
  'stdout',
  'stderr',
  'stdin',
  'signal',
  'log',
  'env',
  'graceMs',
]

/** @throws {TypeError} naming a key that is not among the known ones */
export function checkKeys(given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((key) => !known.includes(key))
  if (unknown !== undefined)
    throw new TypeError(`Unknown option ${JSON.stringify(unknown)}${didYouMean(unknown, known)}`)
}

/** The context of one run, and how to be rid of it. */
export async function openContext(
  source: CommandEnvironment['context'],
): Promise<AsyncDisposable & { readonly value: unknown }> {
  if (typeof source !== 'function') return { value: source, [Symbol.asyncDispose]: async () => {} }
  const value: unknown = await (source as () => unknown)()
  return { value, [Symbol.asyncDispose]: () => dispose(value) }
}

async function dispose(value: unknown): Promise<void> {
  const disposable = (value ?? {}) as Partial<AsyncDisposable & Disposable>
  if (disposable[Symbol.asyncDispose]) await disposable[Symbol.asyncDispose]?.()
  else disposable[Symbol.dispose]?.()
}
