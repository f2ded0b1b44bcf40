import { readFileSync } from 'node:fs'
import { errorCode } from './file-errors.ts'

/**
 * When a process started, as the kernel counts it (clock ticks since boot): with the id it names one process
 * even after the id was given to another. Undefined where there is no `/proc` or no such process.
 */
export function processStartTime(pid: number): string | undefined {
  return readStat(pid)?.startTime
}

/**
 * Tells whether a process runs. A zombie (ended, but not collected by its parent) counts as ended.
 * With `startTime` (of {@link processStartTime}) a later process of the same id counts as another one.
 */
export function isProcessAlive(pid: number, startTime?: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (errorCode(error) !== 'EPERM') return false
  }
  const stat = readStat(pid)
  if (!stat) return true
  return stat.state !== 'Z' && stat.state !== 'X' && (startTime === undefined || stat.startTime === startTime)
}

function readStat(pid: number): { state: string; startTime: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in parentheses and may contain anything, so count from its end.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [state, startTime] = [fields[0], fields[19]]
    return state === undefined || startTime === undefined ? undefined : { state, startTime }
  } catch {
    return undefined
  }
}
