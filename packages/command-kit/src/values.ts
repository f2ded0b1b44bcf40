import { kebab, type Parameter } from './arguments.ts'
import { didYouMean } from '@outrider/options'
import { CommandError } from './errors.ts'
import { ExitCode } from './exit-code.ts'

/**
 * The text of an option or argument as a value of its type.
 * @throws {CommandError} with {@link ExitCode.usage} that says what was expected
 */
export function readText(parameter: Parameter, text: string): unknown {
  const value = parameter.type === 'integer' || parameter.type === 'number' ? toNumber(text) : text
  checkValue(parameter, value)
  return value
}

function toNumber(text: string): unknown {
  return /^\s*$/.test(text) ? text : Number.isNaN(Number(text)) ? text : Number(text)
}

/**
 * Options given as values: checked, and the defaults filled in.
 * @throws {TypeError} for a name that is not declared
 * @throws {CommandError} with {@link ExitCode.usage} for a value that does not fit or one that is missing
 */
export function completeOptions(
  parameters: readonly Parameter[],
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const names = parameters.map(({ name }) => name)
  const unknown = Object.keys(given).find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw new TypeError(`Unknown option ${JSON.stringify(unknown)}${didYouMean(unknown, names)}`)
  return Object.fromEntries(parameters.map((parameter) => [parameter.name, complete(parameter, given)]))
}

function complete(parameter: Parameter, given: Readonly<Record<string, unknown>>): unknown {
  const value = given[parameter.name]
  if (value !== undefined) {
    for (const each of parameter.many && Array.isArray(value) ? value : [value]) checkValue(parameter, each)
    if (!parameter.many || Array.isArray(value)) return value
    throw usage(`Expected ${label(parameter)} to be an array, got ${typeof value}`)
  }
  if (parameter.required) throw usage(`Missing ${label(parameter)}`)
  return parameter.default ?? (parameter.many ? [] : parameter.type === 'boolean' ? false : undefined)
}

function checkValue(parameter: Parameter, value: unknown): void {
  const { type, choices } = parameter
  const fits = choices
    ? choices.some((choice) => choice === value)
    : type === 'integer'
      ? Number.isSafeInteger(value)
      : type === 'number'
        ? Number.isFinite(value)
        : typeof value === type
  if (fits) return
  const expected = choices ? `one of ${choices.join(', ')}` : article(type)
  const got = typeof value === 'string' ? JSON.stringify(value) : `${String(value)} (${typeof value})`
  throw usage(`Expected ${label(parameter)} to be ${expected}, got ${got}`)
}

function article(type: string): string {
  return type === 'integer' ? 'an integer' : `a ${type}`
}

function label({ kind, name }: Parameter): string {
  return kind === 'option' ? `--${kebab(name)}` : `<${kebab(name)}>`
}

/** A {@link CommandError} about the command line. */
export function usage(message: string): CommandError {
  return new CommandError(message, { exitCode: ExitCode.usage })
}
