import { availableParallelism } from 'node:os'
import { checkOptions, type OptionChecks } from './check-options.ts'
import type { OperationMessage } from './engine/diagnostics.ts'
import type { Int64Mode } from './protocol.ts'
import type { UnobservedErrorHandler } from './token.ts'
import type { DateFormat } from './values.ts'

/** How much a commit survives: see https://www.sqlite.org/pragma.html#pragma_synchronous. */
export type Synchronous = 'OFF' | 'NORMAL' | 'FULL' | 'EXTRA'

/**
 * What a read sees: every earlier write of the same worker (`'causal'`), whatever is committed when it runs
 * (`'eager'`), or the same by running in line with the writes on their connection (`'writer'`).
 */
export type Consistency = 'causal' | 'eager' | 'writer'

export interface SqliteWorkerOptions {
  /**
   * Scripts run after the file was opened, before anything else. Connections that only read run their PRAGMAs.
   * @default []
   */
  executeInit?: readonly string[]
  /**
   * When a commit is acknowledged as durable. `'NORMAL'` survives a crash of the process; `'FULL'` also survives a
   * power cut, at the price of one fsync per group of writes. @default 'NORMAL'
   */
  synchronous?: Synchronous
  /** The most writes that share one commit, 1 to 512. 1 commits each on its own. @default 512 */
  maxCount?: number
  /** How long an operation waits for a lock that another process holds, in milliseconds, 0 or more. @default 5000 */
  busyTimeoutMs?: number
  /** Threads for reads outside of transactions, 0 to 64, started when needed. With 0 the writer reads too. @default the number of cores less one, 1 or 2 */
  readers?: number
  /** What reads outside of transactions see. @default 'causal' */
  consistency?: Consistency
  /** Streams and copies that may be open at once, 1 to 64, each on a connection of its own; others wait. @default 4 */
  maxStreams?: number
  /** How long a stream's consumer may take nothing before the stream is ended, in milliseconds; `Infinity` for ever. @default 60000 */
  maxStreamIdleMs?: number
  /**
   * How integers are read. `'strict'` gives numbers and refuses those beyond 2^53 - 1; `'bigint'` gives bigints only;
   * `'number'` gives numbers, the nearest one where digits do not fit. @default 'strict'
   */
  int64?: Int64Mode
  /** How a Date is stored: as ISO 8601 text or as milliseconds since 1970. @default 'iso' */
  dates?: DateFormat
  /** Operations without an outcome that count as a full queue, 1 or more. @default 100000 */
  maxQueueSize?: number
  /** Bytes of their parameters that count as a full queue, roughly, 1 or more. @default 268435456 */
  maxQueueBytes?: number
  /**
   * What a call outside of a transaction does when the queue is full: it waits in line all the same, so that callers
   * hold back themselves (`await` each call, or `whenReady()`); or it rejects with ERR_QUEUE_FULL. @default 'wait'
   */
  queuePolicy?: 'wait' | 'reject'
  /** How long an operation outside of a transaction may wait before it is sent, in milliseconds. @default Infinity */
  queueTimeoutMs?: number
  /** How long a transaction may hold the writer, in milliseconds, before it is rolled back. `Infinity` waits for ever. @default 30000 */
  transactionTimeoutMs?: number
  /** Whether a thread that died is started again. Not that of `':memory:'`, whose database is gone. @default true */
  autoReconnect?: boolean
  /** How often a thread is started again that dies without having answered anything, 0 or more. @default 5 */
  maxRetries?: number
  /** Seconds before the first of these tries, 0 or more; doubled each time. @default 0.1 */
  retryDelay?: number
  /** Statements that run longer are told to `onSlowQuery`, in milliseconds, 0 or more. @default Infinity */
  slowQueryMs?: number
  /** Told of slow statements. Must not throw. @default none */
  onSlowQuery?: (query: OperationMessage) => void
  /**
   * Receives errors of operations that nobody awaited, and of hooks. Must not throw.
   * @default process.emitWarning
   */
  onUnobservedError?: UnobservedErrorHandler
  /** Where the worker script is, for bundlers that move it. @default the file shipped with this package */
  workerUrl?: URL
}

export type ResolvedSqliteWorkerOptions = Readonly<Required<SqliteWorkerOptions>>

const defaults: Omit<ResolvedSqliteWorkerOptions, 'workerUrl'> = {
  executeInit: [],
  synchronous: 'NORMAL',
  maxCount: 512,
  busyTimeoutMs: 5000,
  readers: Math.min(2, Math.max(1, availableParallelism() - 1)),
  consistency: 'causal',
  maxStreams: 4,
  maxStreamIdleMs: 60_000,
  int64: 'strict',
  dates: 'iso',
  maxQueueSize: 100_000,
  maxQueueBytes: 2 ** 28,
  queuePolicy: 'wait',
  queueTimeoutMs: Infinity,
  transactionTimeoutMs: 30_000,
  autoReconnect: true,
  maxRetries: 5,
  retryDelay: 0.1,
  slowQueryMs: Infinity,
  onSlowQuery: () => {},
  onUnobservedError: (error) => process.emitWarning(error instanceof Error ? error : String(error)),
}

type Check = OptionChecks<{ option: unknown }>['option']

const oneOf = (...values: string[]): Check => ({
  expected: values
    .map((value) => `'${value}'`)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1'),
  accepts: (value) => values.includes(value as string),
})

const integer = (min: number, max: number): Check => ({
  expected: `an integer from ${min} to ${max}`,
  accepts: (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
})

const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** A time that a timer can wait for. */
export const durationMs: Check = {
  expected: `a number from 1 to ${MAX_TIMEOUT_MS}, or Infinity`,
  accepts: (value) =>
    typeof value === 'number' && (value === Infinity || (value >= 1 && value <= MAX_TIMEOUT_MS)),
}

const atLeast = (min: number): Check => ({
  expected: `a number of ${min} or more`,
  accepts: (value) => typeof value === 'number' && value >= min,
})

const aFunction: Check = { expected: 'a function', accepts: (value) => typeof value === 'function' }

/** What `consistency` and `int64` must be, of a worker and of a single call. */
export const readChecks: { readonly consistency: Check; readonly int64: Check } = {
  consistency: oneOf('causal', 'eager', 'writer'),
  int64: oneOf('strict', 'number', 'bigint'),
}

const checks: OptionChecks<SqliteWorkerOptions> = {
  executeInit: {
    expected: 'an array of SQL strings',
    accepts: (value) => Array.isArray(value) && value.every((sql) => typeof sql === 'string'),
  },
  synchronous: oneOf('OFF', 'NORMAL', 'FULL', 'EXTRA'),
  maxCount: integer(1, 512),
  busyTimeoutMs: integer(0, MAX_TIMEOUT_MS),
  readers: integer(0, 64),
  maxStreams: integer(1, 64),
  maxStreamIdleMs: durationMs,
  ...readChecks,
  dates: oneOf('iso', 'epochMs'),
  maxQueueSize: atLeast(1),
  maxQueueBytes: atLeast(1),
  queuePolicy: oneOf('wait', 'reject'),
  queueTimeoutMs: durationMs,
  transactionTimeoutMs: durationMs,
  autoReconnect: { expected: 'a boolean', accepts: (value) => typeof value === 'boolean' },
  maxRetries: atLeast(0),
  retryDelay: {
    expected: 'a number of seconds from 0 to 3600',
    accepts: (value) => typeof value === 'number' && value >= 0 && value <= 3600,
  },
  slowQueryMs: atLeast(0),
  onSlowQuery: aFunction,
  onUnobservedError: aFunction,
  workerUrl: { expected: 'a URL', accepts: (value) => value instanceof URL },
}

/** Fills in the defaults. @throws {InvalidOptionError} naming an unknown option or a value that does not fit. */
export function resolveSqliteWorkerOptions(options: SqliteWorkerOptions): ResolvedSqliteWorkerOptions {
  checkOptions(options, checks)
  // bundlers know this form, and find the script by it; not all of them keep import.meta.url, so only where it is needed
  const workerUrl = options.workerUrl ?? new URL('./worker.js', import.meta.url)
  return { ...defaults, ...withoutUndefined(options), workerUrl }
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
