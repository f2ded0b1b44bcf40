import { Cron } from 'croner'
import { UsageError } from '../errors.ts'

/** The times that a cron pattern names, in a time zone. In milliseconds since 1970. */
export class CronTimes {
  readonly #cron: Cron

  /** @throws {UsageError} ERR_INVALID_ARGUMENT for a pattern that is none. */
  constructor(pattern: string, timeZone: string) {
    try {
      if (pattern.includes(':')) throw new TypeError('it is a single time')
      this.#cron = new Cron(pattern, { timezone: timeZone, paused: true })
    } catch (cause) {
      const error = new UsageError(
        'ERR_INVALID_ARGUMENT',
        `Expected a cron pattern of 5 to 7 parts, got ${JSON.stringify(pattern)}`,
      )
      throw Object.assign(error, { cause })
    }
  }

  /** The first time later than `ms`; null when there is none. */
  nextAfter(ms: number): number | null {
    return this.#cron.nextRun(new Date(ms))?.getTime() ?? null
  }

  /** The newest times after `afterMs` and not after `untilMs`, at most `max`, the oldest first. */
  newest(afterMs: number, untilMs: number, max: number): number[] {
    const times: number[] = []
    let before = untilMs + 1
    while (times.length < max) {
      const time = this.#cron.previousRuns(1, new Date(before))[0]?.getTime()
      if (time === undefined || time <= afterMs) break
      times.unshift(time)
      before = time
    }
    return times
  }
}
