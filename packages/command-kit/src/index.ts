export { CommandError, isCommandError } from './errors.ts'
export { ExitCode } from './exit-code.ts'
