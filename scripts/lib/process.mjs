import { spawn } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export { join }

/** The root of the repository, whatever the current folder is. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const bin = join(root, 'node_modules', '.bin')
process.chdir(root)
process.env.PATH = `${bin}${delimiter}${process.env.PATH ?? ''}`
process.env.TURBO_TELEMETRY_DISABLED = '1'
process.env.DO_NOT_TRACK = '1'
process.env.npm_config_update_notifier = 'false'

/**
 * Runs a program quietly, saying once in a while that it still runs.
 * Rejects with its whole output when it fails.
 */
export async function run(program, args, { what, hint = () => '' }) {
  const started = Date.now()
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`
  const heartbeat = setInterval(() => console.log(`[setup] ${what}: ${seconds()} so far`), 15_000)
  try {
    const { code, output } = await collect(program, args)
    if (code !== 0)
      throw new Error(`${output}\n[setup] ${what} failed (${program} ended with ${code}).${hint(output)}`)
    if (Date.now() - started > 3000) console.log(`[setup] ${what}: done in ${seconds()}`)
  } finally {
    clearInterval(heartbeat)
  }
}

function collect(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text))
    child.on('error', (error) => reject(new Error(`Cannot run ${program}: ${error.message}`)))
    child.on('close', (exitCode, signal) => resolve({ code: exitCode ?? signal, output }))
  })
}

/**
 * Runs a Node program with our streams; resolves to its exit code. Ctrl-C reaches it by itself, and we wait for what it
 * makes of that; SIGTERM is passed on.
 */
export function foreground(args, env = {}) {
  const ignore = () => {}
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } })
    const forward = (signal) => child.kill(signal)
    process.on('SIGINT', ignore).on('SIGTERM', forward)
    child.on('error', reject)
    child.on('exit', (code) => {
      process.off('SIGINT', ignore).off('SIGTERM', forward)
      resolve(code ?? 1)
    })
  })
}
