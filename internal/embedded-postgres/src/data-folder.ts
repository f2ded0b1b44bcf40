import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EmbeddedPostgresError, POSTGRES_ERROR_CODES } from './errors.ts'
import { errorCode } from './file-errors.ts'
import type { ServerUser } from './server-user.ts'

// All that this package puts into a data folder starts so; PostgreSQL itself ignores such names.
const prefix = '.outrider-'

/** The lock file that serialises starting and stopping the server of a data folder. */
export const LOCK_FILE: string = `${prefix}lock`
/** Where `initdb` works. Whatever is left there by an interrupted run is worthless. */
const DRAFT_DIR = `${prefix}draft`
/** A complete new cluster on its way up into the data folder, one entry after the other. */
const READY_DIR = `${prefix}ready`
/** Written by initdb's caller and moved last: a folder that has it is complete. */
const MARKER = `${prefix}postgres.json`

/** What this package remembers about a data folder that it initialised. */
export interface DataFolderMarker {
  readonly user: string
  readonly transport: 'socket' | 'tcp'
  /** Of the superuser, for the `tcp` transport. */
  readonly password?: string | undefined
}

/** `empty` includes folders that hold nothing but an interrupted initialisation. */
export type DataFolderState = 'absent' | 'empty' | 'initialised'

/**
 * Tells what is in a data folder, changing nothing.
 * @throws {EmbeddedPostgresError} ERR_PG_DATA_DIR_FOREIGN when it holds anything this package did not put there,
 *   ERR_PG_DATA_DIR_CORRUPT when it was initialised once but essential files are gone
 */
export async function inspectDataFolder(dataDir: string): Promise<DataFolderState> {
  const names = await readdir(dataDir).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined
    throw foreign(dataDir, error)
  })
  if (!names) return 'absent'
  if (names.includes(MARKER)) {
    await assertComplete(dataDir)
    return 'initialised'
  }
  const others = names.filter((name) => !name.startsWith(prefix) && name !== 'lost+found')
  if (others.length > 0 && !names.includes(READY_DIR)) throw foreign(dataDir)
  return 'empty'
}

/**
 * Refuses a folder of another major version.
 * @throws {EmbeddedPostgresError} ERR_PG_DATA_DIR_VERSION
 */
export async function assertMajorVersion(dataDir: string, major: number): Promise<void> {
  const made = (await readFile(join(dataDir, 'PG_VERSION'), 'utf8')).trim()
  if (made === String(major)) return
  throw new EmbeddedPostgresError(
    POSTGRES_ERROR_CODES.dataDirVersion,
    `The data folder ${dataDir} was made by PostgreSQL ${made}, and this is PostgreSQL ${major}. ` +
      `Use PostgreSQL ${made}, or dump the data with it and load the dump into a new folder`,
    { dataDir },
  )
}

/** Makes the data folder, private and owned by the server's user. */
export async function claimDataFolder(dataDir: string, user: ServerUser | undefined): Promise<void> {
  await makeParents(dirname(dataDir), user)
  await mkdir(dataDir, { mode: 0o700 }).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error
  })
  const stats = await stat(dataDir)
  if (user && stats.uid !== user.uid) await chownTree(dataDir, user)
  if ((stats.mode & 0o777) !== 0o700 && process.platform !== 'win32') await chmod(dataDir, 0o700)
}

/**
 * Fills an empty data folder with what `create` makes in a folder of its own. Interrupted at any point, the next
 * call starts again or goes on; `inspectDataFolder` says `initialised` only after the last step.
 */
export async function fillDataFolder(
  dataDir: string,
  marker: DataFolderMarker,
  user: ServerUser | undefined,
  create: (draftDir: string) => Promise<void>,
): Promise<void> {
  const [draft, ready] = [join(dataDir, DRAFT_DIR), join(dataDir, READY_DIR)]
  if (!(await stat(ready).catch(() => undefined))) {
    await rm(draft, { recursive: true, force: true })
    await mkdir(draft, { mode: 0o700 })
    if (user) await chown(draft, user.uid, user.gid)
    await create(draft)
    await writeFile(join(draft, MARKER), `${JSON.stringify(marker)}\n`, { mode: 0o600 })
    if (user) await chown(join(draft, MARKER), user.uid, user.gid)
    await rename(draft, ready)
  }
  const names = await readdir(ready)
  for (const name of names.filter((name) => name !== MARKER))
    await rename(join(ready, name), join(dataDir, name))
  if (names.includes(MARKER)) await rename(join(ready, MARKER), join(dataDir, MARKER))
  await rm(ready, { recursive: true, force: true })
}

/** Reads what was remembered when the folder was initialised. */
export async function readMarker(dataDir: string): Promise<DataFolderMarker> {
  const text = await readFile(join(dataDir, MARKER), 'utf8')
  try {
    const value: unknown = JSON.parse(text)
    if (isMarker(value)) return value
  } catch {
    // Reported below, as a marker with the wrong content is.
  }
  throw corrupt(dataDir, MARKER)
}

async function makeParents(parent: string, user: ServerUser | undefined): Promise<void> {
  const first = await mkdir(parent, { recursive: true })
  if (first === undefined || !user) return
  // A strict umask of root's must not lock the server's user out of the folders just made.
  for (let folder = parent; folder.length >= first.length; folder = dirname(folder))
    await chmod(folder, 0o755)
}

async function assertComplete(dataDir: string): Promise<void> {
  for (const name of ['PG_VERSION', join('global', 'pg_control'), 'postgresql.conf']) {
    if (!(await stat(join(dataDir, name)).catch(() => undefined))) throw corrupt(dataDir, name)
  }
}

async function chownTree(path: string, user: ServerUser): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) await chownTree(child, user)
    else if (entry.isFile()) await chown(child, user.uid, user.gid)
  }
  await chown(path, user.uid, user.gid)
}

function isMarker(value: unknown): value is DataFolderMarker {
  if (typeof value !== 'object' || value === null || !('user' in value) || !('transport' in value))
    return false
  return typeof value.user === 'string' && (value.transport === 'socket' || value.transport === 'tcp')
}

function corrupt(dataDir: string, name: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    POSTGRES_ERROR_CODES.dataDirCorrupt,
    `The data folder ${dataDir} is damaged: ${name} is missing or unreadable. Nothing was changed`,
    { dataDir },
  )
}

function foreign(dataDir: string, cause?: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    POSTGRES_ERROR_CODES.dataDirForeign,
    `${dataDir} is not a data folder of this program and not empty. Nothing was changed; use another folder`,
    { dataDir, cause },
  )
}
