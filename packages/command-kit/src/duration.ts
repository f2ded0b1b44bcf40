import { usage } from './values.ts'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, '': 1000 } as const

/** Milliseconds of `'30'` (seconds), `'500ms'`, `'30s'`, `'5m'` or `'2h'`. @throws {CommandError} for anything else */
export function parseDuration(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  const ms = Number(amount) * unitMs[unit as keyof typeof unitMs]
  // a timer of Node takes at most this much
  if (ms > 0 && ms < 2 ** 31) return ms
  throw usage(
    `Expected --timeout to be seconds or a duration such as 500ms, 90s, 5m or 2h, got ${JSON.stringify(text)}`,
  )
}

/** A duration for people: `12 ms`, `3.4 s`, `2 min 5 s`, `1 h 2 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}
