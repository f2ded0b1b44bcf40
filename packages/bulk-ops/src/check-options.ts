import { InvalidOptionError } from './errors.ts'

/** What each option must be; its names are all there are. */
export type OptionChecks<T> = {
  readonly [K in keyof Required<T>]: {
    readonly expected: string
    readonly accepts: (value: unknown) => boolean
  }
}

/** Checks an options object; undefined counts as absent. @throws {InvalidOptionError} naming what does not fit. */
export function checkOptions<T extends object>(options: T, checks: OptionChecks<T>): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError(`Expected options to be an object, got ${describe(options)}`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name))
      throw new InvalidOptionError(`Unknown option ${didYouMean(name, Object.keys(checks))}`)
    const { expected, accepts } = checks[name as keyof T]
    if (value !== undefined && !accepts(value)) {
      throw new InvalidOptionError(`Expected ${name} to be ${expected}, got ${describe(value)}`)
    }
  }
}

/** `"updte"; did you mean "update"?` */
export function didYouMean(name: string, known: readonly string[]): string {
  const [nearest] = known.toSorted((a, b) => distance(name, a) - distance(name, b))
  return `${JSON.stringify(name)}; did you mean ${JSON.stringify(nearest)}?`
}

/** Levenshtein distance, ignoring case. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const x of a.toLowerCase()) {
    const next = [(row[0] ?? 0) + 1]
    for (const [i, y] of Array.from(b.toLowerCase()).entries()) {
      next.push(Math.min((row[i] ?? 0) + (x === y ? 0 : 1), (row[i + 1] ?? 0) + 1, (next[i] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

function describe(value: unknown): string {
  if (typeof value === 'number') return `${value} (number)`
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value
}
