import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withProcessLock } from '@outrider/embedded-postgres/process-lock'
import { cacheFolder } from './cache-folder.ts'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { findOnPath } from './program.ts'

const execute = promisify(execFile)

/** Tells whether this system has the tools to fetch Debian packages. */
export async function hasApt(): Promise<boolean> {
  const tools = await Promise.all([findOnPath('apt-get'), findOnPath('dpkg-deb')])
  return tools.every((tool) => tool !== undefined)
}

/**
 * Fetches Debian packages, and the libraries of theirs that this system lacks, into a folder of the cache, without
 * installing anything: returns that folder, laid out like `/`. Needs no root and no package lists. Done once for
 * each release of the system; processes at the same time take turns. `works` judges what is there.
 * @throws {TestKitError} ERR_DOWNLOAD when a package cannot be had, or does not work
 */
export async function aptFolder(
  packages: readonly string[],
  works: (folder: string) => Promise<boolean>,
): Promise<string> {
  const base = join(cacheFolder(), 'apt')
  const release = join(base, await systemRelease())
  const folder = join(release, packages.join('+'))
  if (await works(folder)) return folder
  await mkdir(release, { recursive: true })
  return withProcessLock(join(base, 'lock'), async () => {
    if (await works(folder)) return folder
    const draft = `${folder}.${randomUUID()}`
    try {
      await mkdir(draft)
      await download(packages, draft, base)
      await rm(folder, { recursive: true, force: true })
      await rename(draft, folder)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
    if (await works(folder)) return folder
    throw new TestKitError(
      TEST_KIT_ERROR_CODES.download,
      `The packages ${packages.join(', ')} were fetched into ${folder}, but do not run there`,
    )
  })
}

/** The folders below an {@link aptFolder} that hold shared libraries, as LD_LIBRARY_PATH takes them. */
export async function libraryPath(folder: string): Promise<string> {
  const found = await Promise.all(
    ['usr/lib', 'lib'].map((name) => foldersWithLibraries(join(folder, name), 2)),
  )
  return found.flat().join(':')
}

async function foldersWithLibraries(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const own = entries.some((entry) => /\.so(\.|$)/.test(entry.name)) ? [folder] : []
  if (depth === 0) return own
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name))
  return [...own, ...(await Promise.all(below.map((child) => foldersWithLibraries(child, depth - 1)))).flat()]
}

interface Wanted {
  readonly name: string
  readonly version: string
  readonly bytes: number
}

async function download(packages: readonly string[], target: string, base: string): Promise<void> {
  try {
    await fetchAndUnpack(packages, target, await aptOptions(base, 'system'))
  } catch {
    // The system's lists are absent or name versions that are gone: get lists of our own.
    const options = await aptOptions(base, 'own')
    process.stderr.write(`Fetching the package lists of this system's release for the tests\n`)
    try {
      await aptGet([...options, '-qq', 'update'])
      await fetchAndUnpack(packages, target, options)
    } catch (cause) {
      throw new TestKitError(
        TEST_KIT_ERROR_CODES.download,
        `apt-get cannot deliver ${packages.join(', ')}: ${lastLine(cause)}`,
        { cause },
      )
    }
  }
}

async function fetchAndUnpack(packages: readonly string[], target: string, options: string[]): Promise<void> {
  const listing = await aptGet([
    ...options,
    '-qq',
    '-y',
    '--no-install-recommends',
    'install',
    '--print-uris',
    ...packages,
  ])
  const wanted = parseUris(listing)
  if (wanted.length === 0) return
  const megabytes = (wanted.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(1)
  process.stderr.write(
    `Downloading ${packages.join(', ')} for the tests: ${wanted.length} packages, ${megabytes} MB, into ${cacheFolder()}\n`,
  )
  const debs = `${target}.debs`
  try {
    await mkdir(debs, { recursive: true })
    await aptGet(
      [...options, '-qq', 'download', ...wanted.map(({ name, version }) => `${name}=${version}`)],
      debs,
    )
    for (const file of await readdir(debs)) await execute('dpkg-deb', ['-x', join(debs, file), target])
  } finally {
    await rm(debs, { recursive: true, force: true })
  }
}

function parseUris(listing: string): Wanted[] {
  // 'http://.../redis-server_7.0.15-1_amd64.deb' redis-server_5%3a7.0.15-1_amd64.deb 73908 SHA256:...
  const lines = listing.matchAll(/^'[^']+' ([^_\s]+)_([^_\s]+)_\S+ (\d+)/gm)
  return [...lines].map(([, name = '', version = '', bytes]) => ({
    name,
    version: decodeURIComponent(version),
    bytes: Number(bytes),
  }))
}

/** Options that keep apt-get away from everything it would need root, or the system's lock, for. */
async function aptOptions(base: string, lists: 'system' | 'own'): Promise<string[]> {
  const [state, cache] = [join(base, 'state'), join(base, 'cache')]
  await mkdir(join(state, 'lists', 'partial'), { recursive: true })
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true })
  const settings = ['APT::Sandbox::User=root', 'Debug::NoLocking=1', `Dir::Cache=${cache}`]
  if (lists === 'own') settings.push(`Dir::State=${state}`, 'Dir::State::status=/var/lib/dpkg/status')
  return settings.flatMap((setting) => ['-o', setting])
}

async function aptGet(args: readonly string[], cwd = '/'): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
  return (await execute('apt-get', args, { cwd, env, maxBuffer: 64 * 1024 * 1024 })).stdout
}

async function systemRelease(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const value = (key: string) => new RegExp(`^${key}="?([^"\\n]*)`, 'm').exec(text)?.[1]
  return [
    value('ID') ?? 'linux',
    value('VERSION_ID') ?? value('VERSION_CODENAME') ?? 'rolling',
    process.arch,
  ].join('-')
}

function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.trim().split('\n').at(-1) ?? ''
}
