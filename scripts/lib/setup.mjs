import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { join, root, run } from './process.mjs'

const stampFile = join(root, 'node_modules', '.outrider-setup')

/** Installs the dependencies when the lockfile changed, and rebuilds the native ones when Node did. */
export async function prepare() {
  checkNode()
  const wanted = { lockfile: hashOf('pnpm-lock.yaml'), node: `${process.versions.modules}-${process.arch}` }
  const found = readStamp()
  if (found.lockfile === wanted.lockfile && found.node === wanted.node) return
  useLocalNodeHeaders()
  if (found.lockfile !== wanted.lockfile) await install()
  else
    await run('pnpm', ['rebuild', 'better-sqlite3'], {
      what: 'Rebuilding SQLite for this version of Node',
      hint,
    })
  writeFileSync(stampFile, JSON.stringify(wanted))
}

function install() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const args = ['install', '--frozen-lockfile', '--reporter=append-only']
  const what = 'Installing dependencies'
  console.log(`[setup] ${what}: one to five minutes the first time, most of it compiling SQLite`)
  return existsSync(join(root, 'node_modules', '.bin', 'pnpm'))
    ? run('pnpm', args, { what, hint })
    : run('npx', ['--yes', packageManager, ...args], { what, hint })
}

function hint(output) {
  if (!/better-sqlite3/.test(output) || !/gyp ERR|not found: make|g\+\+: (?:not found|No such)/i.test(output))
    return ''
  return (
    '\n[setup] SQLite is compiled because no prebuilt binary could be had. It needs a C++ compiler, make and Python:' +
    '\n[setup]   Debian, Ubuntu: apt-get install g++ make python3    macOS: xcode-select --install'
  )
}

/** Spares node-gyp the download of headers that came with Node. */
function useLocalNodeHeaders() {
  const prefix = dirname(dirname(process.execPath))
  if (existsSync(join(prefix, 'include', 'node', 'node.h'))) process.env.npm_config_nodedir ??= prefix
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  throw new Error(`[setup] Expected Node 20.19 or later, got ${process.version}`)
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'))
  } catch {
    return {} // none yet, or one of an older format
  }
}

function hashOf(file) {
  return createHash('sha256')
    .update(readFileSync(join(root, file)))
    .digest('hex')
}
