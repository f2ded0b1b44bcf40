import type { TextStream } from './output.ts'

/** Colours for what a command prints; each returns the text as it is where colours are off. */
export interface Style {
  success(text: string): string
  error(text: string): string
  warning(text: string): string
  notice(text: string): string
}

/** The {@link Style} of a stream. */
export function createStyle(useColor: boolean): Style {
  const paint = (code: number) => (text: string) => (useColor ? `\u001B[${code}m${text}\u001B[39m` : text)
  return { success: paint(32), error: paint(31), warning: paint(33), notice: paint(36) }
}

/** Whether to use colours: the options decide, then NO_COLOR and FORCE_COLOR (see no-color.org), then the terminal. */
export function wantsColor(
  stream: TextStream,
  { noColor, forceColor, env }: { noColor: boolean; forceColor: boolean; env: Environment },
): boolean {
  if (noColor) return false
  if (forceColor) return true
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') return true
  return stream.isTTY === true
}

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>
