import { checkOptions, type OptionChecks } from '../check-options.ts'
import { UsageError } from '../errors.ts'
import { resolveBackoff, type Backoff, type ResolvedBackoff } from './backoff.ts'
import { given, isCount, isCountOrInfinity, isFunction, isTimerMs, isTimerMsOrInfinity } from './checks.ts'
import type { JobFailure } from './failures.ts'
import type { JobContext } from './job-context.ts'
import type { TaskTypes } from './tasks.ts'

/**
 * Task name to the function that does it. What it resolves to is stored as the job's result, as JSON. What it throws
 * fails the attempt.
 */
export type Handlers<T extends TaskTypes> = {
  readonly [K in keyof T]?: (payload: T[K]['output'], ctx: JobContext) => unknown
}

export type AnyHandler = (payload: unknown, ctx: JobContext) => unknown

/** At most `max` jobs begin in any `durationMs`, whatever `durationMs` one looks at. */
export interface RateLimit {
  max: number
  /** In milliseconds. */
  durationMs: number
}

export interface WorkOptions {
  /** How many jobs this consumer runs at once, 1 or more. @default 10 */
  concurrency?: number
  /** How many jobs of the queue run at once in all processes together. Give all consumers the same. @default Infinity */
  queueConcurrency?: number
  /** How many jobs of one group run at once in all processes together. Give all consumers the same. @default Infinity */
  groupConcurrency?: number
  /** How many jobs of the queue begin per time in all processes together. Give all consumers the same. @default none */
  rateLimit?: RateLimit
  /** How long a handler may take before its signal is aborted and the attempt has failed, in milliseconds. @default Infinity */
  timeoutMs?: number
  /**
   * How long the jobs of this consumer stay its own after its last sign of life, in milliseconds, 50 or more; it gives
   * one three times as often. Shorter finds dead processes sooner; longer bears longer blocked event loops.
   * @default 30000
   */
  leaseMs?: number
  /** How often to look for jobs that other processes added, in milliseconds. @default 500 */
  pollIntervalMs?: number
  /** How long a failed job waits for its next attempt. @default exponential from 1 second to 1 hour, half of it random */
  backoff?: Backoff
  /** Whether a failed job is tried again, attempts being left; else it is dead at once. @default always */
  shouldRetry?: (error: unknown, attempt: number) => boolean
  /** Called for each attempt that failed. Must not throw. @default none: failures are stored with the job */
  onJobFailed?: (failure: JobFailure) => void
}

export interface ResolvedWorkOptions {
  readonly concurrency: number
  readonly queueConcurrency: number
  readonly groupConcurrency: number
  readonly rateLimit: RateLimit | undefined
  readonly timeoutMs: number
  readonly leaseMs: number
  readonly pollIntervalMs: number
  readonly backoff: ResolvedBackoff
  readonly shouldRetry: (error: unknown, attempt: number) => boolean
  readonly onJobFailed: (failure: JobFailure) => void
}

const defaults: ResolvedWorkOptions = {
  concurrency: 10,
  queueConcurrency: Infinity,
  groupConcurrency: Infinity,
  rateLimit: undefined,
  timeoutMs: Infinity,
  leaseMs: 30_000,
  pollIntervalMs: 500,
  backoff: resolveBackoff(),
  shouldRetry: () => true,
  onJobFailed: () => {},
}

const checks: OptionChecks<WorkOptions> = {
  concurrency: {
    expected: 'an integer from 1 to 10000',
    accepts: (value) => isCount(value) && value <= 10_000,
  },
  queueConcurrency: { expected: 'an integer of 1 or more, or Infinity', accepts: isCountOrInfinity },
  groupConcurrency: { expected: 'an integer of 1 or more, or Infinity', accepts: isCountOrInfinity },
  rateLimit: {
    expected: 'an object with max and durationMs',
    accepts: (value) => typeof value === 'object' && value !== null,
  },
  timeoutMs: { expected: 'a number from 1 to 2147483647, or Infinity', accepts: isTimerMsOrInfinity },
  leaseMs: {
    expected: 'a number from 50 to 2147483647',
    accepts: (value) => isTimerMs(value) && value >= 50,
  },
  pollIntervalMs: { expected: 'a number from 1 to 2147483647', accepts: isTimerMs },
  backoff: {
    expected: 'an object or a function',
    accepts: (value) => isFunction(value) || (typeof value === 'object' && value !== null),
  },
  shouldRetry: { expected: 'a function', accepts: isFunction },
  onJobFailed: { expected: 'a function', accepts: isFunction },
}

const rateChecks: OptionChecks<RateLimit> = {
  max: { expected: 'an integer of 1 or more', accepts: isCount },
  durationMs: { expected: 'a number from 1 to 2147483647', accepts: isTimerMs },
}

/** @throws {InvalidOptionError} */
export function resolveWorkOptions(options: WorkOptions): ResolvedWorkOptions {
  checkOptions(options, checks)
  const { backoff, ...rest } = options
  if (rest.rateLimit) {
    const { max, durationMs } = rest.rateLimit
    checkOptions({ ...rest.rateLimit, max: max ?? null, durationMs: durationMs ?? null }, rateChecks)
  }
  return { ...defaults, ...given(rest), backoff: resolveBackoff(backoff) }
}

/** One statement claims for all tasks; SQLite joins at most 500 selects. */
const MAX_TASKS = 400

/** @throws {UsageError} ERR_INVALID_ARGUMENT when they are not functions by task name, or name an unknown task. */
export function checkHandlers(
  handlers: unknown,
  isKnown: (task: string) => boolean,
): Map<string, AnyHandler> {
  if (typeof handlers !== 'object' || handlers === null) throw unfit('an object of functions by task name')
  const entries = Object.entries(handlers).filter(([, handler]) => handler !== undefined)
  if (entries.length === 0 || entries.length > MAX_TASKS) throw unfit(`1 to ${MAX_TASKS} functions`)
  for (const [task, handler] of entries) {
    if (typeof handler !== 'function') throw unfit(`a function for task ${JSON.stringify(task)}`)
    if (!isKnown(task)) throw unfit(`only tasks of this queue, which has none called ${JSON.stringify(task)}`)
  }
  return new Map(entries)
}

function unfit(expected: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', `Expected handlers to be ${expected}`)
}
