import { SettingsError } from './settings.ts'

/** What an error says, in one line: its code where it says nothing. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}

/** One line for what a user can mend, the whole error for what is ours to mend. */
export function explain(error: unknown): string {
  if (error instanceof SettingsError) return error.message
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as NodeJS.ErrnoException & { port?: number }
  if (code === 'EADDRINUSE')
    return `Port ${port} is taken by another program. Choose another: PORT=8001 npm start`
  if (code === 'EACCES' && port !== undefined) {
    return `This user may not listen on port ${port}. Choose another: PORT=8001 npm start`
  }
  return error.stack ?? error.message
}
