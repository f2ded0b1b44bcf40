import { spawn } from 'node:child_process'
import type { ServerUser } from './server-user.ts'

/** How {@link runCommand} runs a program. */
export interface CommandOptions {
  /** Whom to run it as; undefined keeps the own user. */
  user?: ServerUser | undefined
  /** @default the root folder */
  cwd?: string | undefined
  /** Added to the clean environment. */
  env?: Readonly<Record<string, string>> | undefined
}

/** How a program ended and what it wrote. */
export interface CommandResult {
  /** The exit status; null after a signal. */
  status: number | null
  /** Standard output and standard error together, trimmed. */
  output: string
}

/**
 * Runs a program to its end, without a shell and without the caller's `PG*` and locale variables.
 * @throws {Error} with `code` ENOENT, EACCES or EPERM when it cannot be started
 */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd ?? '/',
      env: { ...cleanEnvironment(), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      ...(options.user && { uid: options.user.uid | 0, gid: options.user.gid | 0 }),
    })
    let output = ''
    const collect = (chunk: Buffer) => {
      output += chunk.toString('utf8')
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', reject)
    // On Windows a daemon inherits the pipes of its starter, and `close` would wait for the daemon's end.
    child.once(process.platform === 'win32' ? 'exit' : 'close', (status: number | null) => {
      child.stdout.destroy()
      child.stderr.destroy()
      resolve({ status, output: output.trim() })
    })
  })
}

function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|TZ$|NODE_)/.test(name))
  const own = kept.filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...Object.fromEntries(own), LC_ALL: 'C', TZ: 'UTC' }
}
