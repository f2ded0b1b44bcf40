import { checkOptions, type OptionChecks } from '../check-options.ts'
import { isCount, isFinite, isMs, isName } from './checks.ts'

/**
 * What becomes of slots that passed while no consumer ran: `'skip'` drops those that are older than `graceMs`; `'last'`
 * makes one job, of the newest; `'all'` makes a job of each, of the newest `maxCatchUp` at most.
 */
export type CatchUp = 'skip' | 'last' | 'all'

export interface ScheduleOptions {
  /** IANA name of the time zone in which the pattern is read. @default 'UTC' */
  timeZone?: string
  /** @default 'last' */
  catchUp?: CatchUp
  /** How many slots `'all'` makes up for at most, 1 to 1000. @default 100 */
  maxCatchUp?: number
  /** How late a slot may be that `'skip'` still takes, in milliseconds. @default 10000 */
  graceMs?: number
  /** Of its jobs, as in {@link AddOptions}. @default 0 */
  priority?: number
  /** Of its jobs. @default none */
  group?: string
  /** Of its jobs. @default the queue's maxAttempts */
  maxAttempts?: number
}

/** A schedule as it stands. */
export interface Schedule {
  readonly name: string
  readonly cron: string
  readonly timeZone: string
  readonly catchUp: CatchUp
  readonly task: string
  readonly payload: unknown
  /** Its next slot; undefined when its pattern has none left. */
  readonly nextAt: Date | undefined
}

export type ResolvedScheduleOptions = Readonly<
  Required<Omit<ScheduleOptions, 'group' | 'maxAttempts'>> & Pick<ScheduleOptions, 'group' | 'maxAttempts'>
>

const checks: OptionChecks<ScheduleOptions> = {
  timeZone: { expected: 'the IANA name of a time zone', accepts: isTimeZone },
  catchUp: {
    expected: "'skip', 'last' or 'all'",
    accepts: (value) => ['skip', 'last', 'all'].includes(value as string),
  },
  maxCatchUp: {
    expected: 'an integer from 1 to 1000',
    accepts: (value) => isCount(value) && value <= 1000,
  },
  graceMs: { expected: 'a finite number of 0 or more', accepts: (value) => isMs(value) && isFinite(value) },
  priority: {
    expected: 'an integer from -2147483648 to 2147483647',
    accepts: (value) => Number.isInteger(value) && Math.abs(Number(value) + 0.5) < 2 ** 31,
  },
  group: { expected: 'a non-empty string', accepts: isName },
  maxAttempts: { expected: 'an integer of 1 or more', accepts: isCount },
}

/** @throws {InvalidOptionError} */
export function resolveScheduleOptions(options: ScheduleOptions): ResolvedScheduleOptions {
  checkOptions(options, checks)
  const { timeZone = 'UTC', catchUp = 'last', maxCatchUp = 100, graceMs = 10_000, priority = 0 } = options
  const { group, maxAttempts } = options
  return {
    timeZone,
    catchUp,
    maxCatchUp,
    graceMs,
    priority,
    ...(group === undefined ? {} : { group }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
  }
}

function isTimeZone(value: unknown): boolean {
  if (!isName(value)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: value }).format(0)
    return true
  } catch {
    return false
  }
}
