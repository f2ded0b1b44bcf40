import { Argument, Command, CommanderError, Option } from 'commander'
import { kebab, type Parameter } from './arguments.ts'
import { completeOptions, readText, usage } from './values.ts'

/** What a command line came to. */
export type CommandLine =
  | { readonly help: string }
  | { readonly options: Record<string, unknown>; readonly help?: never }

/**
 * Reads the words behind the name of a command.
 * @throws {CommandError} with {@link ExitCode.usage} and one line of text
 */
export function parseCommandLine(
  parameters: readonly Parameter[],
  argv: readonly string[],
  { name, description }: { name: string; description: string },
): CommandLine {
  let help = ''
  const program = new Command(name)
    .description(description)
    .exitOverride()
    .configureOutput({ writeOut: (text) => (help += text), writeErr: () => {} })
    .addHelpOption(new Option('-h, --help', 'show this help').helpGroup('Standard options:'))
  declare(program, parameters)
  try {
    program.parse(withDashes(argv, parameters), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (help !== '') return { help }
    throw usage(oneLine(error.message))
  }
  const positional = parameters.filter(({ kind }) => kind === 'argument')
  const words: Record<string, unknown> = program.opts()
  for (const [index, { name }] of positional.entries()) words[name] = program.processedArgs[index]
  const given = parameters.map((parameter) => [parameter.name, read(parameter, words[parameter.name])])
  return { options: completeOptions(parameters, Object.fromEntries(given)) }
}

/** The options of the command come first in the help, then those of its kind, then the standard ones. */
function declare(program: Command, parameters: readonly Parameter[]): void {
  const groups = [...new Set(parameters.map(({ group }) => group))].toReversed()
  for (const group of groups) {
    for (const parameter of parameters) {
      if (parameter.kind === 'option' && parameter.group === group) program.addOption(toOption(parameter))
    }
  }
  for (const { kind, name, required, many, help } of parameters) {
    if (kind === 'option') continue
    const text = `${kebab(name)}${many ? '...' : ''}`
    program.addArgument(new Argument(required ? `<${text}>` : `[${text}]`, help))
  }
}

function toOption(parameter: Parameter): Option {
  const { name, type, many, group } = parameter
  const isFlag = type === 'boolean'
  const isNegated = isFlag && parameter.default === true
  const flag = `--${isNegated ? 'no-' : ''}${kebab(name)}`
  const option = new Option(isFlag ? flag : `${flag} <${type}>`, describe(parameter)).helpGroup(`${group}:`)
  // commander takes --no-color for the negation of --color
  if (!isNegated) option.negate = false
  option.attributeName = () => name
  if (many) option.argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value])
  return option
}

function describe({ help, choices, required, default: byDefault }: Parameter): string {
  const facts = [
    choices ? `choices: ${choices.join(', ')}` : '',
    required ? 'required' : '',
    byDefault === undefined || typeof byDefault === 'boolean' ? '' : `default: ${JSON.stringify(byDefault)}`,
  ].filter((fact) => fact !== '')
  return [help, facts.length > 0 ? `(${facts.join('; ')})` : ''].filter((part) => part !== '').join(' ')
}

function read(parameter: Parameter, words: unknown): unknown {
  if (typeof words === 'string') return readText(parameter, words)
  return Array.isArray(words) ? words.map((word) => readText(parameter, String(word))) : words
}

/** `--batch_size` as `--batch-size`, where that is an option. */
function withDashes(argv: readonly string[], parameters: readonly Parameter[]): string[] {
  const flags = new Set(parameters.flatMap(({ name }) => [`--${kebab(name)}`, `--no-${kebab(name)}`]))
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length
  return argv.map((word, index) => {
    const [flag = '', ...value] = word.split('=')
    const dashed = flag.replaceAll('_', '-')
    return index < end && flags.has(dashed) ? [dashed, ...value].join('=') : word
  })
}

/** Commander's message as ours: `error: unknown option '--x'\n(Did you mean --y?)`. */
function oneLine(message: string): string {
  const text = message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}
