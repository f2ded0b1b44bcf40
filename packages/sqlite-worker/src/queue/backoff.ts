import { checkOptions, type OptionChecks } from '../check-options.ts'
import { isFinite, isMs } from './checks.ts'

/** Delay before attempt n + 1: `initialMs * factor ** (n - 1)`, at most `maxMs`, less a random share of it. */
export interface BackoffOptions {
  /** Before the second attempt, in milliseconds, 0 or more. @default 1000 */
  initialMs?: number
  /** What each further delay is multiplied by, 1 or more. @default 2 */
  factor?: number
  /** The longest delay, in milliseconds. @default 3600000, an hour */
  maxMs?: number
  /** The share of a delay that is random, 0 to 1, so that jobs which failed together do not return together. @default 0.5 */
  jitter?: number
}

/** How long a job waits after a failed attempt: options, or a function from the attempt (1 for the first) to milliseconds. */
export type Backoff = BackoffOptions | ((attempt: number, error: unknown) => number)

export type ResolvedBackoff = (attempt: number, error: unknown) => number

const defaults: Required<BackoffOptions> = { initialMs: 1000, factor: 2, maxMs: 3_600_000, jitter: 0.5 }

const checks: OptionChecks<BackoffOptions> = {
  initialMs: { expected: 'a finite number of 0 or more', accepts: (value) => isMs(value) && isFinite(value) },
  factor: {
    expected: 'a number of 1 or more',
    accepts: (value) => isFinite(value) && value >= 1,
  },
  maxMs: { expected: 'a finite number of 0 or more', accepts: (value) => isMs(value) && isFinite(value) },
  jitter: {
    expected: 'a number from 0 to 1',
    accepts: (value) => isFinite(value) && value >= 0 && value <= 1,
  },
}

/** @throws {InvalidOptionError} */
export function resolveBackoff(backoff: Backoff = {}): ResolvedBackoff {
  if (typeof backoff === 'function') return backoff
  checkOptions(backoff, checks)
  const initialMs = backoff.initialMs ?? defaults.initialMs
  const factor = backoff.factor ?? defaults.factor
  const maxMs = backoff.maxMs ?? defaults.maxMs
  const jitter = backoff.jitter ?? defaults.jitter
  return (attempt) => {
    const delayMs = Math.min(maxMs, initialMs * factor ** (attempt - 1))
    return Math.round(delayMs * (1 - jitter * Math.random()))
  }
}
