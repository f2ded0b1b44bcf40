import { checkOptions, type OptionChecks } from './check-options.ts'
import type { UnobservedErrorHandler } from './token.ts'

/** How much a commit survives: see https://www.sqlite.org/pragma.html#pragma_synchronous. */
export type Synchronous = 'OFF' | 'NORMAL' | 'FULL' | 'EXTRA'

export interface SqliteWorkerOptions {
  /** Statements run once after opening, before anything else, each as a script of its own. @default [] */
  executeInit?: readonly string[]
  /**
   * When a commit is acknowledged as durable. `'NORMAL'` survives a crash of the process; `'FULL'` also survives a
   * power cut, at the price of one fsync per group of writes. @default 'NORMAL'
   */
  synchronous?: Synchronous
  /** The most writes that share one commit, 1 to 512. 1 commits each on its own. @default 512 */
  maxCount?: number
  /** How long to wait for a lock that another process holds, in milliseconds, 0 or more. @default 5000 */
  busyTimeoutMs?: number
  /**
   * How long a transaction may hold the writer, in milliseconds, before it is rolled back. `Infinity` waits for
   * ever. @default 30000
   */
  transactionTimeoutMs?: number
  /**
   * Receives errors of operations that nobody awaited. Must not throw.
   * @default process.emitWarning
   */
  onUnobservedError?: UnobservedErrorHandler
  /** Where the worker script is, for bundlers that move it. @default the file shipped with this package */
  workerUrl?: URL
}

export type ResolvedSqliteWorkerOptions = Readonly<Required<SqliteWorkerOptions>>

const defaults: ResolvedSqliteWorkerOptions = {
  executeInit: [],
  synchronous: 'NORMAL',
  maxCount: 512,
  busyTimeoutMs: 5000,
  transactionTimeoutMs: 30_000,
  onUnobservedError: (error) => process.emitWarning(error instanceof Error ? error : String(error)),
  workerUrl: new URL('./worker.js', import.meta.url),
}

const isNumber = (value: unknown): value is number => typeof value === 'number'

const checks: OptionChecks<SqliteWorkerOptions> = {
  executeInit: {
    expected: 'an array of SQL strings',
    accepts: (value) => Array.isArray(value) && value.every((sql) => typeof sql === 'string'),
  },
  synchronous: {
    expected: "'OFF', 'NORMAL', 'FULL' or 'EXTRA'",
    accepts: (value) => ['OFF', 'NORMAL', 'FULL', 'EXTRA'].includes(value as string),
  },
  maxCount: {
    expected: 'an integer from 1 to 512',
    accepts: (value) => Number.isInteger(value) && isNumber(value) && value >= 1 && value <= 512,
  },
  busyTimeoutMs: {
    expected: 'an integer from 0 to 2147483647',
    accepts: (value) => Number.isInteger(value) && isNumber(value) && value >= 0 && value < 2 ** 31,
  },
  transactionTimeoutMs: {
    expected: 'a number from 1 to 2147483647, or Infinity',
    accepts: (value) => isNumber(value) && (value === Infinity || (value >= 1 && value < 2 ** 31)),
  },
  onUnobservedError: { expected: 'a function', accepts: (value) => typeof value === 'function' },
  workerUrl: { expected: 'a URL', accepts: (value) => value instanceof URL },
}

/** Fills in the defaults. @throws {InvalidOptionError} naming an unknown option or a value that does not fit. */
export function resolveSqliteWorkerOptions(options: SqliteWorkerOptions): ResolvedSqliteWorkerOptions {
  checkOptions(options, checks)
  return { ...defaults, ...withoutUndefined(options) }
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
