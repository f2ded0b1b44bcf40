import { suggestion } from './suggestion.ts'

/** What each option must be; its names are all there are. */
export type OptionChecks<T> = {
  readonly [K in keyof Required<T>]: {
    readonly expected: string
    readonly accepts: (value: unknown) => boolean
  }
}

/**
 * Checks an options object; undefined counts as absent.
 * @throws {ErrorType} naming what does not fit; a {@link TypeError} by default. Of values only numbers are shown
 */
export function checkOptions<T extends object>(
  options: T,
  checks: OptionChecks<T>,
  ErrorType: new (message: string) => Error = TypeError,
): void {
  if (typeof options !== 'object' || options === null) {
    throw new ErrorType(`Expected options to be an object, got ${describe(options)}`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name)) {
      throw new ErrorType(`Unknown option ${JSON.stringify(name)}${suggestion(name, Object.keys(checks))}`)
    }
    const { expected, accepts } = checks[name as keyof T]
    if (value !== undefined && !accepts(value)) {
      throw new ErrorType(`Expected ${name} to be ${expected}, got ${describe(value)}`)
    }
  }
}

function describe(value: unknown): string {
  if (typeof value === 'number') return `${value} (number)`
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value
}
