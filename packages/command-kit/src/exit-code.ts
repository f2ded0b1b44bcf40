/** How a command ends, as the shell sees it. The numbers from 64 on are those of sysexits.h and of timeout(1). */
export const ExitCode = {
  ok: 0,
  /** A {@link CommandError}: the command could not do what it was asked for. */
  failed: 1,
  /** The command line was wrong. */
  usage: 2,
  /** An import rejected more rows than it was allowed to. */
  tooManyRejected: 3,
  /** Another run holds the lock of this command. */
  lockHeld: 75,
  /** It took longer than `--timeout`. */
  timeout: 124,
  /** SIGINT. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]
