import { createHash } from 'node:crypto'
import { chown, lstat, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { errorCode } from './file-errors.ts'
import { canReach } from './reach.ts'
import type { ServerUser } from './server-user.ts'

const socketFile = '/.s.PGSQL.5432'
// A socket's address holds 107 bytes on Linux and 103 on macOS.
const maxBytes = 103
const prefix = 'outrider-pg-'

/**
 * A private folder for a server's socket: the data folder itself, or one below the temporary folder when that
 * path is too long for a socket or holds characters the server's configuration cannot.
 */
export async function prepareSocketFolder(dataDir: string, user: ServerUser | undefined): Promise<string> {
  if (isSuitable(dataDir)) return dataDir
  const base = isSuitable(tmpdir(), 32) && (await canReach(join(tmpdir(), prefix), user)) ? tmpdir() : '/tmp'
  const folder = join(base, prefix + createHash('sha256').update(dataDir).digest('hex').slice(0, 12))
  try {
    await mkdir(folder, { mode: 0o700 })
    if (user) await chown(folder, user.uid, user.gid)
    return folder
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  const stats = await lstat(folder)
  const owner = user?.uid ?? process.getuid?.()
  if (stats.isDirectory() && stats.uid === owner && (stats.mode & 0o077) === 0) return folder
  // Somebody else's: theirs to keep, and not to be trusted.
  const fresh = await mkdtemp(folder)
  if (user) await chown(fresh, user.uid, user.gid)
  return fresh
}

/**
 * Removes what a dead server left in its socket folder. PostgreSQL itself would stumble over it when the dead server's
 * process id is in use again. Only for the folder's one user: whoever holds the lock of the data folder.
 */
export async function removeStaleSocket(folder: string): Promise<void> {
  await rm(folder + socketFile, { force: true })
  await rm(`${folder}${socketFile}.lock`, { force: true })
}

/** Removes a socket folder that `prepareSocketFolder` made outside of the data folder. */
export async function removeSocketFolder(folder: string | undefined): Promise<void> {
  if (folder === undefined || !basename(folder).startsWith(prefix)) return
  await rm(folder, { recursive: true, force: true })
}

function isSuitable(folder: string, reserve = 0): boolean {
  return Buffer.byteLength(folder + socketFile) + reserve <= maxBytes && /^[\w/.@+-]+$/.test(folder)
}
