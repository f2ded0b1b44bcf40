import * as options from '@outrider/options'
import { InvalidOptionError } from './errors.ts'

export type { OptionChecks } from '@outrider/options'

/** Checks an options object; undefined counts as absent. @throws {InvalidOptionError} naming what does not fit. */
export function checkOptions<T extends object>(given: T, checks: options.OptionChecks<T>): void {
  options.checkOptions(given, checks, InvalidOptionError)
}
