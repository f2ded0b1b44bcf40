import { formatDuration } from './duration.ts'
import type { Output } from './output.ts'

/** How far a piece of work is. */
export interface Progress extends Disposable {
  /** Adds to what is done. @default 1 */
  add(count?: number): void
  /** Sets what is done. */
  update(done: number): void
  /** Writes where it stands and removes the bar. Done at the end of the command for a bar that is left. */
  end(): void
}

/** What {@link BaseCommand.progress} takes. */
export interface ProgressOptions {
  /** What the numbers count. `'bytes'` are shown as kB and MB. @default '' */
  readonly unit?: string
  /** What is going on, before the bar. @default the name of the command */
  readonly label?: string
}

/** How a {@link Progress} is shown. `'none'` shows nothing. */
export type ProgressView = 'bar' | 'lines' | 'json' | 'none'

const frameMs = 100
const lineMs = 10_000

/** A {@link Progress} on stderr: a bar, or a line every 10 % or 10 s. */
export function createProgress(
  output: Output,
  total: number,
  { view, label, unit = '' }: ProgressOptions & { view: ProgressView; label: string },
): Progress {
  const startedAt = performance.now()
  let done = 0
  let shownAt = view === 'bar' ? -Infinity : startedAt
  let shownTenths = 0
  let shownDone = -1
  let isOver = false

  const show = () => {
    shownAt = performance.now()
    shownTenths = tenths(done, total)
    shownDone = done
    const facts = measure({ done, total, elapsedMs: shownAt - startedAt })
    if (view === 'json') output.stderr.write(JSON.stringify({ event: 'progress', label, unit, ...facts }))
    else if (view === 'lines') output.stderr.write(`${label}: ${describe(facts, unit)}`)
    else output.setStatus(bar(label, describe(facts, unit), facts, output.columns))
  }
  const update = (count: number) => {
    if (isOver || view === 'none') return
    done = count
    const sinceMs = performance.now() - shownAt
    if (view === 'bar' ? sinceMs >= frameMs : sinceMs >= lineMs || tenths(done, total) > shownTenths) show()
  }
  const end = () => {
    if (isOver || view === 'none') return
    if (view === 'bar') {
      show()
      output.setStatus('')
      output.stderr.write(
        `${label}: ${describe(measure({ done, total, elapsedMs: shownAt - startedAt }), unit)}`,
      )
    } else if (done !== shownDone) show()
    isOver = true
  }
  return { add: (count = 1) => update(done + count), update, end, [Symbol.dispose]: end }
}

interface Measured {
  readonly done: number
  readonly total: number
  readonly percent: number
  readonly perSecond: number
  readonly etaSeconds: number | undefined
}

function measure({ done, total, elapsedMs }: { done: number; total: number; elapsedMs: number }): Measured {
  const perSecond = elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0
  const percent = total > 0 ? Math.floor(Math.min(1, done / total) * 100) : 100
  const etaSeconds = perSecond > 0 && done < total ? (total - done) / perSecond : undefined
  return { done, total, percent, perSecond, etaSeconds }
}

function tenths(done: number, total: number): number {
  return total > 0 ? Math.floor(Math.min(1, done / total) * 10) : 10
}

function describe({ done, total, percent, perSecond, etaSeconds }: Measured, unit: string): string {
  const eta = etaSeconds === undefined ? '' : `, ${formatDuration(etaSeconds * 1000)} left`
  return `${percent} % (${amount(done, unit)} of ${amount(total, unit)}, ${amount(Math.round(perSecond), unit)}/s${eta})`
}

function amount(count: number, unit: string): string {
  if (unit !== 'bytes')
    return unit === '' ? count.toLocaleString('en') : `${count.toLocaleString('en')} ${unit}`
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`
}

function bar(label: string, text: string, { percent }: Measured, columns: number): string {
  const width = Math.min(30, columns - label.length - text.length - 6)
  const filled = Math.round((percent / 100) * width)
  const line =
    width < 5 ? `${label} ${text}` : `${label} [${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${text}`
  return line.slice(0, Math.max(1, columns - 1))
}
