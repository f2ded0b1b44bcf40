import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const folder = fileURLToPath(new URL('..', import.meta.url))
const stampFile = join(folder, 'node_modules', '.installed')

/**
 * Installs the peers when they are not, or when the lockfile or Node changed since. Without dependencies in
 * bench/package.json it does nothing.
 *
 * @param {(line: string) => void} say
 * @throws {Error} with the installer's output
 */
export async function installPeers(say) {
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (Object.keys(dependencies).length === 0) return
  const stamp = createHash('sha256')
    .update(readFileSync(join(folder, 'pnpm-lock.yaml')))
    .update(process.version)
    .digest('hex')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  say('Installing the peers (the first time this may compile native code for minutes)')
  const local = join(folder, '..', 'node_modules', '.bin', 'pnpm')
  const pnpm = existsSync(local) ? local : 'pnpm'
  try {
    // bench/pnpm-workspace.yaml makes the folder a root of its own. --ignore-workspace would ignore that file
    // too, and with it the approved builds.
    await promisify(execFile)(pnpm, ['install', '--frozen-lockfile'], { cwd: folder, maxBuffer: 2 ** 26 })
  } catch (error) {
    throw new Error(`Could not install the peers:\n${error.stdout ?? ''}${error.stderr ?? ''}`, {
      cause: error,
    })
  }
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  writeFileSync(stampFile, stamp)
}
