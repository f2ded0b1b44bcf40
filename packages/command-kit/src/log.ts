import type { LineWriter } from './output.ts'
import type { Style } from './style.ts'

/** Writes an event: its message, or facts and a message. */
export interface LogMethod {
  (message: string): void
  (facts: object, message?: string): void
}

/** What commands log to: the methods that pino and console have in common. */
export interface Log {
  trace: LogMethod
  debug: LogMethod
  info: LogMethod
  warn: LogMethod
  error: LogMethod
}

/** The verbosity from which a level is written. */
const verbosityOf = { error: 0, warn: 1, info: 1, debug: 2, trace: 3 } as const

type Level = keyof typeof verbosityOf

/** A log that writes lines, or JSON lines, as far as the verbosity allows. */
export function createLog(
  stderr: LineWriter,
  { verbosity, json, style }: { verbosity: number; json: boolean; style: Style },
): Log {
  const method =
    (level: Level): LogMethod =>
    (first: string | object, second = '') => {
      if (verbosity < verbosityOf[level]) return
      const [facts, message] = typeof first === 'string' ? [{}, first] : [first, second]
      if (json) return stderr.write(JSON.stringify({ level, ...facts, message }))
      const text = [message, Object.keys(facts).length > 0 ? JSON.stringify(facts) : '']
        .filter(Boolean)
        .join(' ')
      stderr.write(level === 'error' ? style.error(text) : level === 'warn' ? style.warning(text) : text)
    }
  return {
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
  }
}
