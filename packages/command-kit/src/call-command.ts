import { Arguments } from './arguments.ts'
import type { BaseCommand, CommandClass } from './base-command.ts'
import { commandName, discoverCommands, loadCommand, type CommandFolder } from './discover.ts'
import { checkKeys, environmentKeys, type CommandEnvironment } from './environment.ts'
import { execute, type CommandOutcome } from './execute.ts'
import { completeOptions } from './values.ts'

type ContextOf<C> = C extends BaseCommand<infer Context> ? Context : never

type ValuesOf<C> = C extends {
  baseAddArguments(p: Arguments): Arguments<infer B>
  addCommandArguments(p: Arguments): Arguments<infer T>
}
  ? B & T
  : never

/** What {@link callCommand} takes as options: those of the command, by their camelCase names. */
export type CommandOptions<C> = { [K in keyof ValuesOf<C>]?: ValuesOf<C>[K] | undefined }

/** A command by its name. */
export interface NamedCommand {
  readonly name: string
  readonly commands: readonly CommandFolder[]
}

type EnvironmentOf<C> =
  unknown extends ContextOf<C>
    ? [environment?: CommandEnvironment]
    : [environment: CommandEnvironment<ContextOf<C>> & { context: unknown }]

/**
 * Runs a command from code. Touches no state of the process: nothing is printed, unless `stdout` and `stderr` are given,
 * and no question is asked without a `stdin`.
 *
 * @throws {TypeError} for an option that the command does not have
 * @throws {CommandError} for a value that does not fit, and after the timeout or an abort of `signal`
 * @throws whatever the command throws
 * @example
 * const { result } = await callCommand(ImportBooks, { file: 'books.csv', dryRun: true }, { context: { db } })
 */
export function callCommand<C extends BaseCommand>(
  command: CommandClass<C>,
  options?: CommandOptions<C>,
  ...rest: EnvironmentOf<C>
): Promise<CommandOutcome<Awaited<ReturnType<C['handleCommand']>>>>
export function callCommand(
  command: NamedCommand,
  options?: Readonly<Record<string, unknown>>,
  environment?: CommandEnvironment,
): Promise<CommandOutcome>
export async function callCommand(
  command: CommandClass | NamedCommand,
  options: Readonly<Record<string, unknown>> = {},
  environment: CommandEnvironment = {},
): Promise<CommandOutcome> {
  checkKeys(environment, environmentKeys)
  const isClass = typeof command === 'function'
  const Command = isClass
    ? command
    : await loadCommand(await discoverCommands(command.commands), command.name)
  const instance = new Command()
  const declared = new Arguments()
  instance.addArguments(declared)
  return execute(instance, {
    name: commandName(command.name),
    options: completeOptions(declared.parameters, options),
    environment,
  })
}
