import { checkOptions, type OptionChecks } from './check-options.ts'
import { durationMs } from './options.ts'

export interface TransactionOptions {
  /**
   * When SQLite takes the write lock of the file: with the first statement (`'immediate'`), with the first write
   * (`'deferred'`, which can fail when another process wrote meanwhile), or shutting out readers in other journal
   * modes (`'exclusive'`). @default 'immediate'
   */
  mode?: 'deferred' | 'immediate' | 'exclusive'
  /**
   * How long it may hold the writer, in milliseconds, before it is rolled back. `Infinity` waits for ever.
   * @default the worker's transactionTimeoutMs
   */
  timeoutMs?: number
  /** How long it may wait for its turn, in milliseconds, before it is given up. @default Infinity */
  maxWaitMs?: number
  /** How often the callback is run again, from the start, when another process holds the lock. @default { busy: 0 } */
  retry?: { readonly busy: number }
  /** Gives it up: while it waits for its turn, or by rolling it back. */
  signal?: AbortSignal
}

export interface ResolvedTransactionOptions extends Readonly<Required<Omit<TransactionOptions, 'signal'>>> {
  readonly signal: AbortSignal | undefined
}

const checks: OptionChecks<TransactionOptions> = {
  mode: {
    expected: "'deferred', 'immediate' or 'exclusive'",
    accepts: (value) => ['deferred', 'immediate', 'exclusive'].includes(value as string),
  },
  timeoutMs: durationMs,
  maxWaitMs: durationMs,
  retry: {
    expected: 'an object { busy } with an integer from 0 to 1000',
    accepts: (value) => {
      const busy = typeof value === 'object' && value !== null && 'busy' in value ? value.busy : undefined
      return Number.isInteger(busy) && Number(busy) >= 0 && Number(busy) <= 1000
    },
  },
  signal: { expected: 'an AbortSignal', accepts: (value) => value instanceof AbortSignal },
}

/** Fills in the defaults. @throws {InvalidOptionError} naming what does not fit. */
export function resolveTransactionOptions(
  options: TransactionOptions,
  { transactionTimeoutMs }: { readonly transactionTimeoutMs: number },
): ResolvedTransactionOptions {
  checkOptions(options, checks)
  return {
    mode: options.mode ?? 'immediate',
    timeoutMs: options.timeoutMs ?? transactionTimeoutMs,
    maxWaitMs: options.maxWaitMs ?? Infinity,
    retry: options.retry ?? { busy: 0 },
    signal: options.signal,
  }
}
