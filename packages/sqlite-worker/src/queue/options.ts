import { checkOptions, type OptionChecks } from '../check-options.ts'
import { InvalidOptionError } from '../errors.ts'
import type { Transaction } from '../transaction.ts'
import {
  given,
  isBoolean,
  isCount,
  isFinite,
  isFunction,
  isMs,
  isName,
  isSignal,
  isTimerMsOrInfinity,
} from './checks.ts'
import { isConnection, isWorker } from './connections.ts'
import { isStandardSchema } from './standard-schema.ts'
import type { TaskSchemas } from './tasks.ts'

/** What is kept of the jobs of one kind; what exceeds either limit is removed, the oldest first. */
export interface RetentionLimit {
  /** How long after its end a job is kept, in milliseconds, 0 or more. `Infinity` sets no limit. */
  ageMs?: number
  /** How many are kept, 0 or more. `Infinity` sets no limit. */
  count?: number
}

export interface Retention {
  /** @default { ageMs: 86400000, count: 10000 }: a day, and the last 10000 */
  completed?: RetentionLimit
  /** @default { ageMs: Infinity, count: Infinity }: what failed stays until it is requeued or removed */
  dead?: RetentionLimit
}

export interface QueueOptions<S extends TaskSchemas = TaskSchemas> {
  /** Which queue of the file: queues of different names have nothing in common. @default 'default' */
  name?: string
  /**
   * A Standard Schema for the payload of each task. Payloads are checked when they are added and again before their
   * handler runs, which gets the schema's output. A task that is not named here is refused. @default any task and payload
   */
  tasks?: S
  /** How often a job is tried that does not say so itself, 1 or more. @default 5 */
  maxAttempts?: number
  /** Applied by consumers, in the background. */
  retention?: Retention
  /** The time in milliseconds since 1970, for tests. Leases do not depend on it. @default Date.now */
  now?: () => number
  /** Receives errors of background work, such as a lock that was not to be had. Must not throw. @default process.emitWarning */
  onError?: (error: unknown) => void
}

export interface ResolvedQueueOptions {
  readonly name: string
  readonly tasks: TaskSchemas | undefined
  readonly maxAttempts: number
  readonly retention: {
    readonly completed: Required<RetentionLimit>
    readonly dead: Required<RetentionLimit>
  }
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

const defaults: ResolvedQueueOptions = {
  name: 'default',
  tasks: undefined,
  maxAttempts: 5,
  retention: {
    completed: { ageMs: 86_400_000, count: 10_000 },
    dead: { ageMs: Infinity, count: Infinity },
  },
  now: Date.now,
  onError: (error) => process.emitWarning(error instanceof Error ? error : String(error)),
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const queueChecks: OptionChecks<QueueOptions> = {
  name: { expected: 'a non-empty string', accepts: isName },
  tasks: {
    expected: 'an object of Standard Schemas by task name',
    accepts: (value) => isObject(value) && Object.values(value).every(isStandardSchema),
  },
  maxAttempts: { expected: 'an integer of 1 or more', accepts: isCount },
  retention: { expected: 'an object', accepts: isObject },
  now: { expected: 'a function', accepts: isFunction },
  onError: { expected: 'a function', accepts: isFunction },
}

const limitChecks: OptionChecks<RetentionLimit> = {
  ageMs: { expected: 'a number of 0 or more, or Infinity', accepts: isMs },
  count: {
    expected: 'an integer of 0 or more, or Infinity',
    accepts: (value) => value === Infinity || (Number.isSafeInteger(value) && Number(value) >= 0),
  },
}

const retentionChecks: OptionChecks<Retention> = {
  completed: { expected: 'an object', accepts: isObject },
  dead: { expected: 'an object', accepts: isObject },
}

/** @throws {InvalidOptionError} */
export function resolveQueueOptions(options: QueueOptions): ResolvedQueueOptions {
  checkOptions(options, queueChecks)
  const { retention = {}, ...rest } = options
  checkOptions(retention, retentionChecks)
  const { completed = {}, dead = {} } = retention
  checkOptions(completed, limitChecks)
  checkOptions(dead, limitChecks)
  return {
    ...defaults,
    ...given(rest),
    retention: {
      completed: { ...defaults.retention.completed, ...given(completed) },
      dead: { ...defaults.retention.dead, ...given(dead) },
    },
  }
}

export interface AddOptions {
  /** Higher runs first; jobs of one priority run in the order of their addition. An integer. @default 0 */
  priority?: number
  /** Not before this many milliseconds have passed. @default 0 */
  delayMs?: number
  /** Not before this time; a number is in milliseconds since 1970. Not together with `delayMs`. */
  runAt?: Date | number
  /**
   * While a job of this key is unfinished, no other is added: the call resolves to the one there is, with
   * `deduplicated: true`.
   */
  dedupeKey?: string
  /** Keeps `dedupeKey` for at least this many milliseconds, also when the job ends before. @default 0 */
  dedupeForMs?: number
  /** Jobs of one group share the `groupConcurrency` of consumers. @default none */
  group?: string
  /** How often it is tried, counted when an attempt begins, 1 or more. @default the queue's maxAttempts */
  maxAttempts?: number
  /** A transaction of the same worker: the job is there once it commits, and never if it does not. */
  tx?: Transaction
}

const isTime = (value: unknown): boolean => isFinite(value instanceof Date ? value.getTime() : value)

const addChecks: OptionChecks<AddOptions> = {
  priority: {
    expected: 'an integer from -2147483648 to 2147483647',
    accepts: (value) => Number.isInteger(value) && Math.abs(Number(value) + 0.5) < 2 ** 31,
  },
  delayMs: { expected: 'a finite number of 0 or more', accepts: (value) => isMs(value) && isFinite(value) },
  runAt: { expected: 'a valid Date or a number of milliseconds', accepts: isTime },
  dedupeKey: { expected: 'a non-empty string', accepts: isName },
  dedupeForMs: {
    expected: 'a finite number of 0 or more',
    accepts: (value) => isMs(value) && isFinite(value),
  },
  group: { expected: 'a non-empty string', accepts: isName },
  maxAttempts: { expected: 'an integer of 1 or more', accepts: isCount },
  tx: {
    expected: 'a transaction of the same worker',
    accepts: (value) => isConnection(value) && !isWorker(value),
  },
}

/** @throws {InvalidOptionError} */
export function checkAddOptions(options: AddOptions): void {
  checkOptions(options, addChecks)
  if (options.delayMs !== undefined && options.runAt !== undefined) {
    throw new InvalidOptionError('Expected delayMs or runAt, got both')
  }
  if (options.dedupeForMs !== undefined && options.dedupeKey === undefined) {
    throw new InvalidOptionError('Expected dedupeKey beside dedupeForMs, got none')
  }
}

export interface WaitOptions {
  /** How long to wait, in milliseconds. @default Infinity */
  timeoutMs?: number
  /** Ends the waiting; the call rejects with its reason. */
  signal?: AbortSignal
}

export interface DrainOptions extends WaitOptions {
  /** Whether to wait also for jobs that are to run later, retries among them. @default false */
  delayed?: boolean
}

const waitChecks: OptionChecks<WaitOptions> = {
  timeoutMs: { expected: 'a number from 1 to 2147483647, or Infinity', accepts: isTimerMsOrInfinity },
  signal: { expected: 'an AbortSignal', accepts: isSignal },
}

const drainChecks: OptionChecks<DrainOptions> = {
  ...waitChecks,
  delayed: { expected: 'a boolean', accepts: isBoolean },
}

/** @throws {InvalidOptionError} */
export const checkWaitOptions = (options: WaitOptions): void => checkOptions(options, waitChecks)
/** @throws {InvalidOptionError} */
export const checkDrainOptions = (options: DrainOptions): void => checkOptions(options, drainChecks)
