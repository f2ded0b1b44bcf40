import { inspect } from 'node:util'

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
    const nearest = Object.hasOwn(aliases, name) ? aliases[name] : nearestOf(name, known)
    const hint = nearest === undefined ? `there are ${known.join(', ')}` : `did you mean '${nearest}'?`
    throw new TypeError(`Unknown option '${name}' of ${owner}; ${hint}`)
  }
}

/** The value and type of an option for a message: `-1 (number)`. Objects are named by their type only. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value}`
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'function' ? 'a function' : `${inspect(value)} (${typeof value})`
}

function nearestOf(name: string, known: readonly string[]): string | undefined {
  const ranked = known.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
  const nearest = ranked.reduce((best, next) => (next.distance < best.distance ? next : best))
  return nearest.distance <= name.length / 2 ? nearest.candidate : undefined
}

/** Levenshtein distance without regard to case, one row at a time. */
function editDistance(from: string, to: string): number {
  const a = from.toLowerCase()
  const b = to.toLowerCase()
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
