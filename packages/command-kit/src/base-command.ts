import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Arguments } from './arguments.ts'
import { askForConsent, type AnswerStream } from './confirm.ts'
import { formatDuration } from './duration.ts'
import { CommandError } from './errors.ts'
import { ExitCode } from './exit-code.ts'
import { runLifecycle } from './lifecycle.ts'
import type { Log } from './log.ts'
import type { LineWriter, Output } from './output.ts'
import { createProgress, type Progress, type ProgressOptions, type ProgressView } from './progress.ts'
import { addStandardOptions, Options, type StandardOptions } from './standard-options.ts'
import type { Style } from './style.ts'
import { formatTable } from './table.ts'

/** One run of a command, as the kit hands it to the command. */
export interface Run<Context = unknown> {
  readonly name: string
  readonly context: Context
  readonly options: Readonly<Record<string, unknown>>
  readonly output: Output
  readonly style: Style
  readonly log: Log
  readonly signal: AbortSignal
  readonly stdin: AnswerStream | undefined
  readonly progressView: ProgressView
  readonly graceMs: number
}

/** A method of every command. Its key is global, so that a command of another copy of the package runs too. */
const bind = Symbol.for('@outrider/command-kit/bind-run')

/**
 * A command: its options in `addCommandArguments`, its work in `handleCommand`. `Context` is what the application hands
 * to its commands. Each run has an instance of its own.
 *
 * @example
 * export class ClosePoll extends BaseCommand<AppContext> {
 *   static override help = 'Closes the given polls'
 *   addCommandArguments(p: Arguments) { return p.argument('pollIds', { type: 'integer', variadic: true }) }
 *   async handleCommand() { for (const id of this.getOption('pollIds')) await this.context.close(id) }
 * }
 */
export abstract class BaseCommand<Context = unknown> {
  /** What the command does, for the help. */
  static help = ''
  /** The names of the standard options. */
  static readonly Options: typeof Options = Options

  /** What the shell gets when `handleCommand` returns. @default 0 */
  exitCode: ExitCode = ExitCode.ok
  #bound: Run<Context> | undefined
  readonly #bars: Progress[] = []

  static {
    function bindTo(this: BaseCommand, run: Run): void {
      this.#bound = run
    }
    Object.defineProperty(this.prototype, bind, { value: bindTo })
  }

  /** @throws {TypeError} for a class that overrides `handle` or `addArguments` */
  constructor() {
    for (const [final, instead] of [
      ['handle', 'handleCommand'],
      ['addArguments', 'addCommandArguments'],
    ] as const) {
      if (final in new.target.prototype)
        throw new TypeError(
          `${new.target.name} overrides ${final}, which is the kit's: write ${instead} instead`,
        )
    }
  }

  /** Declares the options and arguments of this command. Return what the last call returns: it types `getOption`. */
  abstract addCommandArguments(p: Arguments): Arguments

  /** Does the work. What it returns is the result: `callCommand` resolves to it, and `--json` prints it. */
  abstract handleCommand(): unknown

  /** Declares the options that all commands of a kind have; a base class adds its own to those of `super`. */
  baseAddArguments(p: Arguments): Arguments<StandardOptions> {
    return addStandardOptions(p)
  }

  /** Prepares the work of all commands of a kind. Runs before `handleCommand`. */
  baseHandle(): unknown {
    return undefined
  }

  /** Runs last, also after an error, a timeout or a signal. */
  teardown(): unknown {
    return undefined
  }

  /** Declares all options of the command. Not to be overridden: see {@link addCommandArguments}. */
  readonly addArguments = (p: Arguments): void => {
    this.baseAddArguments(p)
    this.addCommandArguments(p.group('Options'))
  }

  /** Runs the command. Not to be overridden: see {@link handleCommand}. */
  readonly handle = (): Promise<unknown> => {
    const teardown = () => {
      for (const bar of this.#bars) bar.end()
      return this.teardown()
    }
    const hooks = { baseHandle: () => this.baseHandle(), handleCommand: () => this.handleCommand(), teardown }
    return runLifecycle(hooks, this.#run)
  }

  /** The value of an option or argument, by its camelCase name. */
  getOption<B, T, K extends keyof (B & T)>(
    this: { baseAddArguments(p: Arguments): Arguments<B>; addCommandArguments(p: Arguments): Arguments<T> },
    name: K,
  ): (B & T)[K] {
    return (this as unknown as BaseCommand).#run.options[name as string] as (B & T)[K]
  }

  /** What the application hands to its commands. */
  get context(): Context {
    return this.#run.context
  }

  /** Where results go. */
  get stdout(): LineWriter {
    return this.#run.output.stdout
  }

  /** Where everything else goes. */
  get stderr(): LineWriter {
    return this.#run.output.stderr
  }

  /** Where input comes from, if there is any. */
  get stdin(): AnswerStream | undefined {
    return this.#run.stdin
  }

  /** Colours for {@link stdout}. */
  get style(): Style {
    return this.#run.style
  }

  /** Aborts at the timeout and at SIGINT and SIGTERM. Hand it on, or look at it between two pieces of work. */
  get signal(): AbortSignal {
    return this.#run.signal
  }

  /** Writes events to stderr, as far as `--verbosity` allows. */
  get log(): Log {
    return this.#run.log
  }

  /** Whether nothing is to be changed. Commands keep to it themselves, for example through {@link effect}. */
  get dryRun(): boolean {
    return this.#standard.dryRun
  }

  /** Does something that changes the world; a dry run only says what it would have done, and gives undefined. */
  async effect<T>(label: string, fn: () => T | Promise<T>): Promise<T | undefined> {
    if (!this.dryRun) return fn()
    this.log.info(`Dry run: would ${label}`)
    return undefined
  }

  /**
   * A check that `--force` skips.
   * @throws {CommandError} with this message when it does not pass and there is no `--force`
   */
  forceable(passes: boolean, message: string): void {
    if (passes) return
    if (!this.#standard.force) throw new CommandError(`${message} (--force skips this check)`)
    this.log.warn(`Forced: ${message}`)
  }

  /** Asks a question on the terminal; true with `--yes`. @throws {CommandError} when there is no terminal to ask */
  async confirm(question: string): Promise<boolean> {
    if (this.#standard.yes) return true
    const { stdin, signal } = this.#run
    return askForConsent(question, { stdin, stderr: this.stderr, signal })
  }

  /** Runs one part of the work and logs how long it took. */
  async step<T>(name: string, fn: () => T | Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    const startedAt = performance.now()
    this.log.debug(`${name} ...`)
    const result = await fn()
    this.log.info(`${name}: ${formatDuration(performance.now() - startedAt)}`)
    return result
  }

  /**
   * Shows how far work of this total is, on stderr: a bar with rate and time left on a terminal, else a line every 10 %
   * or 10 s, and events with `--json`.
   */
  progress(total: number, options: ProgressOptions = {}): Progress {
    const { name, output, progressView: view } = this.#run
    const bar = createProgress(output, total, { label: name, ...options, view })
    this.#bars.push(bar)
    return bar
  }

  /** Writes rows as aligned columns; their names are those of the first row. */
  table(rows: readonly Readonly<Record<string, unknown>>[]): void {
    if (rows.length > 0) this.stdout.write(formatTable(rows))
  }

  /**
   * Cuts rows into batches of `--batch-size`. After each the event loop has a turn, so that others are served and the
   * timeout is seen. @throws the signal's reason once it has aborted
   */
  async *batches<T>(rows: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T[], void> {
    const { batchSize } = this.#standard
    let batch: T[] = []
    for await (const row of rows) {
      if (batch.push(row) < batchSize) continue
      yield batch
      batch = []
      await nextTurn()
      this.signal.throwIfAborted()
    }
    if (batch.length > 0) yield batch
  }

  get #standard(): StandardOptions {
    return this.#run.options as unknown as StandardOptions
  }

  get #run(): Run<Context> {
    if (!this.#bound) throw new Error('A command has its options and context only while it runs')
    return this.#bound
  }
}

/** Hands a run to a command. */
export function bindRun(command: BaseCommand, run: Run): void {
  const methods = command as unknown as Record<typeof bind, (run: Run) => void>
  methods[bind]?.(run)
}

/** A class of commands that can be run. */
export type CommandClass<C extends BaseCommand = BaseCommand> = (new () => C) & { readonly help: string }

/** Whether a value is a class of commands, of this copy of the package or another. */
export function isCommandClass(value: unknown): value is CommandClass {
  return typeof value === 'function' && typeof value.prototype === 'object' && bind in value.prototype
}
