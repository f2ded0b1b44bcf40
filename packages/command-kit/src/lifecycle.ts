import { formatDuration } from './duration.ts'
import { CommandError, isCommandError } from './errors.ts'
import { ExitCode } from './exit-code.ts'
import type { Log } from './log.ts'

/** The parts of a command that the lifecycle calls, in this order. */
export interface Hooks {
  baseHandle(): unknown
  handleCommand(): unknown
  teardown(): unknown
}

/**
 * Runs a command: `baseHandle`, `handleCommand`, then always `teardown`. Resolves to what `handleCommand` returned.
 *
 * When the signal aborts, the command has `graceMs` to end by itself; after that it is left behind, and torn down.
 * @throws what failed first, or the {@link CommandError} that stands for the signal's reason once that has aborted
 */
export async function runLifecycle(
  hooks: Hooks,
  { name, signal, log, graceMs }: { name: string; signal: AbortSignal; log: Log; graceMs: number },
): Promise<unknown> {
  const startedAt = performance.now()
  log.debug(`${name} started`)
  let outcome: { result: unknown } | { error: unknown }
  try {
    const result = await unlessAbandoned(() => body(hooks, signal), { signal, graceMs })
    outcome = signal.aborted ? { error: stopped(signal) } : { result }
  } catch (error) {
    outcome = { error: signal.aborted ? stopped(signal) : error }
  }
  try {
    await hooks.teardown()
  } catch (error) {
    if (!('error' in outcome)) throw error
    log.error(`teardown failed too: ${error instanceof Error ? error.message : String(error)}`)
  }
  if ('error' in outcome) throw outcome.error
  log.info(`${name} finished in ${formatDuration(performance.now() - startedAt)}`)
  return outcome.result
}

async function body(hooks: Hooks, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted()
  await hooks.baseHandle()
  signal.throwIfAborted()
  return hooks.handleCommand()
}

async function unlessAbandoned<T>(
  work: () => Promise<T>,
  { signal, graceMs }: { signal: AbortSignal; graceMs: number },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let onAbort = () => {}
  const abandoned = new Promise<never>((_, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(signal.reason as Error), graceMs)
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work(), abandoned])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

function stopped({ reason }: AbortSignal): CommandError {
  if (isCommandError(reason)) return reason
  return new CommandError('Interrupted', { exitCode: ExitCode.interrupted, cause: reason })
}
