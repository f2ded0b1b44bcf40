import { CommandError } from './errors.ts'
import { ExitCode } from './exit-code.ts'
import { manage, type ManageOptions } from './manage.ts'

/**
 * {@link manage} for the script that is the program: sets the exit code of the process, stops the command at the first
 * SIGINT or SIGTERM and the process at the second, and ends quietly when the reader of its output goes away.
 *
 * @example
 * await runManage({ commands: [new URL('./commands/', import.meta.url)], context: () => openContext() })
 */
export async function runManage<Context>(options: ManageOptions<Context>): Promise<void> {
  const controller = new AbortController()
  const stop = (message: string, exitCode: ExitCode) => {
    if (controller.signal.aborted) process.exit(exitCode)
    controller.abort(new CommandError(message, { exitCode }))
  }
  const onInterrupt = () => stop('Interrupted', ExitCode.interrupted)
  const onTerminate = () => stop('Terminated', ExitCode.terminated)
  const onStreamError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    if (!controller.signal.aborted)
      controller.abort(new CommandError('Nobody reads the output', { exitCode: ExitCode.ok }))
  }
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate)
  process.stdout.on('error', onStreamError)
  process.stderr.on('error', onStreamError)
  // stands when the event loop runs dry before the command has ended
  process.exitCode = ExitCode.failed
  const exitCode = await manage({ signal: controller.signal, ...options })
  process.exitCode = exitCode
  process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate)
  // a command that did not end by itself still has work in the event loop
  if (controller.signal.aborted || exitCode === ExitCode.timeout) process.exit(exitCode)
}
