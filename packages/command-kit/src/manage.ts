import { Arguments } from './arguments.ts'
import { parseCommandLine } from './command-line.ts'
import { commandName, discoverCommands, loadCommand, type CommandFolder } from './discover.ts'
import { checkKeys, environmentKeys, type CommandEnvironment } from './environment.ts'
import { isCommandError } from './errors.ts'
import { createPrinter, execute } from './execute.ts'
import { ExitCode } from './exit-code.ts'
import { createLog } from './log.ts'
import type { StandardOptions } from './standard-options.ts'

/** What {@link manage} takes. Streams and variables are those of the process unless given. */
export interface ManageOptions<Context = unknown> extends CommandEnvironment<Context> {
  /** Folders of commands, one command in a file. A folder's sub-folders are not looked at. */
  readonly commands: readonly CommandFolder[]
  /** The words of the command line, without node and the script. @default process.argv.slice(2) */
  readonly argv?: readonly string[]
  /** What the program is called in the help. @default 'manage' */
  readonly name?: string
}

interface Program {
  readonly name: string
  readonly commands: readonly CommandFolder[]
  readonly environment: CommandEnvironment
}

/**
 * Runs the command that the command line names, and resolves to the exit code; errors are printed. Nothing of the process
 * changes but what its streams are given: signals and the exit are for {@link runManage}.
 *
 * `manage` and `manage help` list the commands, `manage help NAME` and `manage NAME --help` show one.
 * @throws {TypeError} for an unknown option of this function
 */
export async function manage<Context>({
  commands,
  argv = process.argv.slice(2),
  name = 'manage',
  ...rest
}: ManageOptions<Context>): Promise<ExitCode> {
  checkKeys(rest, environmentKeys)
  const { stdout, stderr, stdin, env } = process
  const program: Program = { name, commands, environment: { stdout, stderr, stdin, env, ...rest } }
  // a command line that cannot be read has no say in how it is reported
  const standard = { noColor: false, forceColor: false, json: false, traceback: false }
  try {
    return await run(program, argv, (options) => Object.assign(standard, options))
  } catch (error) {
    return report(error, standard, program.environment)
  }
}

async function run(
  { name: programName, commands, environment }: Program,
  argv: readonly string[],
  onOptions: (options: object) => void,
): Promise<ExitCode> {
  const found = await discoverCommands(commands)
  const [first = 'help', ...others] = argv
  const asksForHelp = ['help', '--help', '-h'].includes(first)
  const [name, words] = asksForHelp ? [others[0], ['--help']] : [first, others]
  if (name === undefined) {
    environment.stdout?.write(listing(programName, found.keys()))
    return ExitCode.ok
  }
  const Command = await loadCommand(found, name)
  const command = new Command()
  const declared = new Arguments()
  command.addArguments(declared)
  const { help, ...line } = parseCommandLine(declared.parameters, words, {
    name: `${programName} ${commandName(name)}`,
    description: Command.help,
  })
  if (help !== undefined) {
    environment.stdout?.write(help)
    return ExitCode.ok
  }
  const { options = {} } = line as { options?: Record<string, unknown> }
  onOptions(options)
  return (await execute(command, { name: commandName(name), options, environment })).exitCode
}

function listing(programName: string, names: Iterable<string>): string {
  const lines = Array.from(names, (name) => `  ${name}\n`).join('')
  return `Usage: ${programName} <command> [options]\n\nCommands:\n${lines}\n${programName} help <command> shows its options.\n`
}

function report(
  error: unknown,
  options: Pick<StandardOptions, 'noColor' | 'forceColor' | 'json' | 'traceback'>,
  environment: CommandEnvironment,
): ExitCode {
  const exitCode = isCommandError(error) ? error.exitCode : ExitCode.failed
  if (exitCode === ExitCode.ok) return exitCode
  const { output, errorStyle: style } = createPrinter(options, environment)
  const log = createLog(output.stderr, { verbosity: 0, json: options.json, style })
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  log.error(options.traceback ? (stack ?? message) : message)
  if (!options.traceback && !isCommandError(error))
    log.error('An unexpected error: --traceback shows where it happened')
  return exitCode
}
