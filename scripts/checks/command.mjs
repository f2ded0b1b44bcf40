import { execFile } from 'node:child_process'
import { basename, delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

const bin = join(root, 'node_modules', '.bin')
const TIMEOUT_MS = 600_000

/** A check that did not hold; the message is for the reader of the report, without a stack. */
export class CheckFailure extends Error {
  name = 'CheckFailure'
}

/** A command that failed or took too long; the message holds everything it printed. */
class CommandFailure extends CheckFailure {
  name = 'CommandFailure'
  /** @type {number | null} null when it took too long or did not start */
  exitCode
  /** @type {string} */
  stdout

  /**
   * @param {string} message
   * @param {{exitCode: number | null, stdout: string, cause: unknown}} facts
   */
  constructor(message, { exitCode, stdout, cause }) {
    super(message, { cause })
    this.exitCode = exitCode
    this.stdout = stdout
  }
}

/**
 * Runs a command to its end.
 *
 * @param {string} file a program; those of the repository's dependencies come first
 * @param {string[]} args
 * @param {{cwd: string, timeoutMs?: number}} options
 * @returns {Promise<string>} what it printed on stdout
 * @throws {CommandFailure} when it failed or took too long
 */
export function run(file, args, { cwd, timeoutMs = TIMEOUT_MS }) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, NO_COLOR: '1' }
  delete env.FORCE_COLOR
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd, env, timeout: timeoutMs, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      const exitCode = typeof error.code === 'number' ? error.code : null
      const command = `${basename(file)} ${args[0]}`
      const said = `${stdout}${stderr}`.trim() || error.message
      const message = error.killed
        ? `${command} did not end within ${timeoutMs / 1000} s\n${said}`
        : `${said}\n(${command}: exit ${exitCode})`
      return reject(new CommandFailure(message, { exitCode, stdout, cause: error }))
    })
  })
}
