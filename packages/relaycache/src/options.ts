import { inspect } from 'node:util'
import { suggestion } from '@outrider/options'

/**
 * Checks that `given` is an object whose keys are all in `known`. `aliases` are names that others give to an option.
 * @throws {TypeError} naming the unknown option and the nearest valid one, or all where none is near
 */
export function checkOptionNames(
  owner: string,
  given: unknown,
  known: readonly string[],
  aliases: Readonly<Record<string, string>> = {},
): void {
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`Expected the options of ${owner} to be an object, got ${describe(given)}`)
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const meant = (Object.hasOwn(aliases, name) && aliases[name]) || name
    throw new TypeError(`Unknown option ${JSON.stringify(name)} of ${owner}${suggestion(meant, known)}`)
  }
}

/** The value and type of an option for a message: `-1 (number)`. Objects are named by their type only. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value}`
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'function' ? 'a function' : `${inspect(value)} (${typeof value})`
}
