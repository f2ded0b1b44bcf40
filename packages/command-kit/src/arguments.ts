import { didYouMean } from '@outrider/options'

/** How the text of an option or argument is read. */
export type ValueType = 'string' | 'integer' | 'number' | 'boolean'

interface ValueSpec {
  /** `'integer'` and `'number'` refuse anything else; a `'boolean'` option is a flag. @default 'string' */
  readonly type?: ValueType
  /** The only values accepted. */
  readonly choices?: readonly (string | number)[]
  /** The value when none is given. */
  readonly default?: unknown
  /** One line for the help. */
  readonly help?: string
}

/** What {@link Arguments.option} takes. */
export interface OptionSpec extends ValueSpec {
  /** Whether the command cannot run without it. @default false */
  readonly required?: boolean
  /** Whether it may be given several times; its value is an array, empty when it is not given. @default false */
  readonly multiple?: boolean
}

/** What {@link Arguments.argument} takes. */
export interface ArgumentSpec extends ValueSpec {
  /** @default true, unless there is a default */
  readonly required?: boolean
  /** Whether it takes all that follow; its value is an array. The last argument only. @default false */
  readonly variadic?: boolean
}

type Single<S> = S extends { choices: readonly (infer C)[] }
  ? C
  : S extends { type: 'integer' | 'number' }
    ? number
    : S extends { type: 'boolean' }
      ? boolean
      : string

type OptionValue<S> = S extends { multiple: true }
  ? Single<S>[]
  : S extends { required: true } | { default: string | number | boolean } | { type: 'boolean' }
    ? Single<S>
    : Single<S> | undefined

type ArgumentValue<S> = S extends { variadic: true }
  ? Single<S>[]
  : S extends { default: string | number | boolean }
    ? Single<S>
    : S extends { required: false }
      ? Single<S> | undefined
      : Single<S>

/** One option or argument as declared. `many` is `multiple` or `variadic`. */
export interface Parameter {
  readonly name: string
  readonly kind: 'option' | 'argument'
  readonly type: ValueType
  readonly required: boolean
  readonly many: boolean
  readonly choices: readonly (string | number)[] | undefined
  readonly default: unknown
  readonly help: string
  /** The heading it is listed under in the help. */
  readonly group: string
}

const specKeys = ['type', 'choices', 'default', 'help', 'required', 'multiple', 'variadic']

/**
 * Collects the options and arguments of a command. `T` grows with each call and types `getOption`, so return what the
 * last call returns. Names are camelCase; the shell accepts `--batch-size` and `--batch_size` for `batchSize`.
 *
 * @example
 * addCommandArguments(p: Arguments) {
 *   return p.argument('pollIds', { type: 'integer', variadic: true }).option('reason', { default: 'expired' })
 * }
 */
export class Arguments<T = unknown> {
  declare protected readonly values: T
  readonly #parameters: Parameter[] = []
  #group = 'Options'

  /** Everything declared so far, in order. */
  get parameters(): readonly Parameter[] {
    return this.#parameters
  }

  /** Puts the options that follow under a heading of their own in the help. */
  group(heading: string): this {
    this.#group = heading
    return this
  }

  /** Declares `--name`. @throws {TypeError} for a name that is taken or not camelCase, or an unknown key of the spec */
  option<const N extends string, const S extends OptionSpec = {}>(
    name: N,
    spec?: S,
  ): Arguments<T & { [P in N]: OptionValue<S> }> {
    const { multiple = false, required = false, ...rest } = spec ?? ({} as OptionSpec)
    return this.#add({ name, kind: 'option', many: multiple, required, spec: rest })
  }

  /** Declares the next positional argument. @throws {TypeError} as {@link option} does */
  argument<const N extends string, const S extends ArgumentSpec = {}>(
    name: N,
    spec?: S,
  ): Arguments<T & { [P in N]: ArgumentValue<S> }> {
    const { variadic = false, required, ...rest } = spec ?? ({} as ArgumentSpec)
    const isRequired = required ?? rest.default === undefined
    return this.#add({ name, kind: 'argument', many: variadic, required: isRequired, spec: rest })
  }

  #add<V>({ spec, ...facts }: Pick<Parameter, 'name' | 'kind' | 'many' | 'required'> & { spec: ValueSpec }) {
    const { name } = facts
    if (!/^[a-z][a-zA-Z0-9]*$/.test(name))
      throw new TypeError(`Expected a camelCase name, got ${JSON.stringify(name)}`)
    if (this.#parameters.some((each) => each.name === name))
      throw new TypeError(`The option or argument ${name} is declared twice`)
    const unknown = Object.keys(spec).find((key) => !specKeys.includes(key))
    if (unknown !== undefined)
      throw new TypeError(`Unknown key ${JSON.stringify(unknown)} of ${name}${didYouMean(unknown, specKeys)}`)
    const { type = 'string', choices, help = '' } = spec
    this.#parameters.push({ ...facts, type, choices, default: spec.default, help, group: this.#group })
    return this as unknown as Arguments<V>
  }
}

/** `pollIds` as the shell spells it: `poll-ids`. */
export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
