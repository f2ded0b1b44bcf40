import { ExitCode } from './exit-code.ts'

const brand = Symbol.for('@outrider/command-kit/command-error')

/**
 * Thrown by a command that cannot do what it was asked for. Its message is for the user, who sees no stack; the process
 * ends with `exitCode`.
 */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: ExitCode

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }

  /** @param options `exitCode` defaults to 1; `cause` is the error behind it */
  constructor(message: string, options: { exitCode?: ExitCode; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.exitCode = options.exitCode ?? ExitCode.failed
  }
}

/** Whether a value is a {@link CommandError}, of this copy of the package or another. */
export function isCommandError(value: unknown): value is CommandError {
  return typeof value === 'object' && value !== null && brand in value
}
