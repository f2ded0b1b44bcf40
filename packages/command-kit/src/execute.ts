import { bindRun, type BaseCommand } from './base-command.ts'
import { parseDuration, formatDuration } from './duration.ts'
import { openContext, type CommandEnvironment } from './environment.ts'
import { CommandError } from './errors.ts'
import { ExitCode } from './exit-code.ts'
import { createLog } from './log.ts'
import { Output, type TextStream } from './output.ts'
import type { ProgressView } from './progress.ts'
import type { StandardOptions } from './standard-options.ts'
import { createStyle, wantsColor, type Style } from './style.ts'
import { usage } from './values.ts'

/** How a command ended. */
export interface CommandOutcome<R = unknown> {
  readonly exitCode: ExitCode
  /** What `handleCommand` returned. */
  readonly result: R
}

/** Where a command writes, and how. */
export interface Printer {
  readonly output: Output
  readonly style: Style
  readonly errorStyle: Style
}

const nowhere: TextStream = { write: () => true }

/** The outputs as the options want them: with `--json`, stdout is left to the result. */
export function createPrinter(
  { noColor, forceColor, json }: Pick<StandardOptions, 'noColor' | 'forceColor' | 'json'>,
  { stdout = nowhere, stderr = nowhere, env = {} }: CommandEnvironment,
): Printer {
  const styleOf = (stream: TextStream) => createStyle(wantsColor(stream, { noColor, forceColor, env }))
  const target = json ? stderr : stdout
  return { output: new Output(target, stderr), style: styleOf(target), errorStyle: styleOf(stderr) }
}

/** Runs a command with complete options. @throws whatever it fails with */
export async function execute(
  command: BaseCommand,
  {
    name,
    options,
    environment,
  }: { name: string; options: Record<string, unknown>; environment: CommandEnvironment },
): Promise<CommandOutcome> {
  const standard = options as unknown as StandardOptions
  const { json, verbosity, batchSize } = standard
  if (batchSize < 1) throw usage(`Expected --batch-size to be 1 or more, got ${batchSize}`)
  const timeoutMs = standard.timeout === undefined ? undefined : parseDuration(standard.timeout)
  const { output, style, errorStyle } = createPrinter(standard, environment)
  const log = environment.log ?? createLog(output.stderr, { verbosity, json, style: errorStyle })

  await using deadline = startDeadline(environment.signal, timeoutMs)
  await using context = await openContext(environment.context)
  bindRun(command, {
    name,
    context: context.value,
    options,
    output,
    style,
    log,
    signal: deadline.signal,
    stdin: environment.stdin,
    progressView: viewOf(standard, output),
    graceMs: environment.graceMs ?? 5000,
  })
  const result = await command.handle()
  if (json) environment.stdout?.write(`${JSON.stringify(result ?? null)}\n`)
  return { exitCode: command.exitCode, result }
}

function viewOf({ json, verbosity }: StandardOptions, output: Output): ProgressView {
  if (verbosity === 0) return 'none'
  return json ? 'json' : output.hasStatus ? 'bar' : 'lines'
}

/** A signal that aborts with the outer one, or when the time is over. */
function startDeadline(
  outer: AbortSignal | undefined,
  timeoutMs: number | undefined,
): AsyncDisposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  const onOuter = () => controller.abort(outer?.reason)
  if (outer?.aborted) onOuter()
  outer?.addEventListener('abort', onOuter, { once: true })
  const onTime = () => {
    const message = `Timed out after ${formatDuration(timeoutMs ?? 0)}`
    controller.abort(new CommandError(message, { exitCode: ExitCode.timeout }))
  }
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTime, timeoutMs)
  return {
    signal: controller.signal,
    async [Symbol.asyncDispose]() {
      clearTimeout(timer)
      outer?.removeEventListener('abort', onOuter)
    },
  }
}
