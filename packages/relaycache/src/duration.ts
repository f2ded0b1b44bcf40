import { describe } from './options.ts'

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
const MAX_TTL_MS = 365 * UNIT_MS.d
/** Well below what a timer can wait. */
const MAX_DURATION_MS = UNIT_MS.d

/** A length of time with its unit: `'250ms'`, `'30m'`, `'1.5h'`. */
export type Duration = `${number}${keyof typeof UNIT_MS}`

/** A time to live: a number of **seconds**, or a {@link Duration}. More than 0 and at most one year. */
export type Ttl = number | Duration

/** The milliseconds of a {@link Ttl}, rounded up. @throws {RangeError} when it is not one */
export function ttlToMs(name: string, ttl: unknown): number {
  const ms = typeof ttl === 'number' ? ttl * UNIT_MS.s : textToMs(ttl)
  if (ms !== undefined && ms > 0 && ms <= MAX_TTL_MS) return Math.ceil(ms)
  throw new RangeError(
    `Expected ${name} to be a number of seconds or a duration such as '30m', more than 0 and at most one year, got ${describe(ttl)}`,
  )
}

/**
 * The milliseconds of a {@link Duration}, rounded up.
 * @throws {TypeError} when it is not text with a unit
 * @throws {RangeError} when it is not more than 0 and at most one day
 */
export function durationToMs(name: string, duration: unknown): number {
  return checkedMs(name, duration, { example: '250ms', maxMs: MAX_DURATION_MS, most: 'one day' })
}

/** Like {@link durationToMs}, for what no timer waits for: at most one year. */
export function longDurationToMs(name: string, duration: unknown): number {
  return checkedMs(name, duration, { example: '10m', maxMs: MAX_TTL_MS, most: 'one year' })
}

function checkedMs(
  name: string,
  duration: unknown,
  { example, maxMs, most }: { readonly example: string; readonly maxMs: number; readonly most: string },
): number {
  const ms = textToMs(duration)
  if (ms === undefined) {
    throw new TypeError(
      `Expected ${name} to be a duration with a unit such as '${example}', got ${describe(duration)}`,
    )
  }
  if (ms > 0 && ms <= maxMs) return Math.ceil(ms)
  throw new RangeError(`Expected ${name} to be more than 0 and at most ${most}, got ${describe(duration)}`)
}

function textToMs(text: unknown): number | undefined {
  const match = typeof text === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text) : null
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : undefined
}
