import { checkOptions, type OptionChecks } from '../check-options.ts'

export interface MigrateOptions {
  /**
   * The newest version the database shall have; later ones stay pending, or are rolled back with `allowDown`. `null`
   * is before the first. @default the newest of the list
   */
  to?: string | null | undefined
  /** Whether migrations may be rolled back to get to `to`, newest first, which may drop data. @default false */
  allowDown?: boolean | undefined
  /** Whether migrations may be applied that are older than one that is applied already. @default false */
  allowOutOfOrder?: boolean | undefined
  /** Whether to run all of it in one transaction and roll that back. @default false */
  dryRun?: boolean | undefined
  /**
   * How long to wait in all for each lock that another process holds, such as one that migrates the same file, in
   * milliseconds, 0 or more. It is tried at least once, which takes up to the worker's `busyTimeoutMs`. @default 60000
   */
  lockTimeoutMs?: number | undefined
}

export type ResolvedMigrateOptions = Readonly<
  { to: string | null | undefined } & Record<'allowDown' | 'allowOutOfOrder' | 'dryRun', boolean> & {
      lockTimeoutMs: number
    }
>

export const LOCK_TIMEOUT_MS = 60_000

const flag = { expected: 'a boolean', accepts: (value: unknown) => typeof value === 'boolean' }
const migrateChecks: OptionChecks<MigrateOptions> = {
  to: { expected: 'a version or null', accepts: (value) => value === null || typeof value === 'string' },
  allowDown: flag,
  allowOutOfOrder: flag,
  dryRun: flag,
  lockTimeoutMs: {
    expected: 'a number of 0 or more',
    accepts: (value) => typeof value === 'number' && value >= 0,
  },
}

/** @throws {InvalidOptionError} naming what does not fit. */
export function resolveMigrateOptions(options: MigrateOptions = {}): ResolvedMigrateOptions {
  checkOptions(options, migrateChecks)
  const { to, allowDown = false, allowOutOfOrder = false, dryRun = false } = options
  return { to, allowDown, allowOutOfOrder, dryRun, lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS }
}
