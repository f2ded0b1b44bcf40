import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The operating system user that PostgreSQL runs as; it refuses to run as root. */
export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Tells whether this process is root, so that the server must run as somebody else. */
export function isRoot(): boolean {
  return process.platform !== 'win32' && process.getuid?.() === 0
}

/**
 * The user the server of a data folder runs as: undefined for the own user; for root the folder's owner, or
 * `nobody` while the folder is absent, root's, or owned by a user without a name.
 */
export async function serverUserFor(dataDir: string): Promise<ServerUser | undefined> {
  if (!isRoot()) return undefined
  const owner = await stat(dataDir).catch(() => undefined)
  // `initdb` refuses to run as a user without a name, which the owner of a mounted folder may be.
  const name = owner && owner.uid !== 0 ? await nameOf(owner.uid) : undefined
  return owner && name !== undefined ? { name, uid: owner.uid, gid: owner.gid } : findNobody()
}

async function nameOf(uid: number): Promise<string | undefined> {
  const result = await run('id', ['-un', String(uid)]).catch(() => undefined)
  return result?.stdout.trim()
}

/** Looks up the ids of `nobody`: in `/etc/passwd`, else through `id`, else 65534. */
export async function findNobody(passwdFile = '/etc/passwd'): Promise<ServerUser> {
  const passwd = await readFile(passwdFile, 'utf8').catch(() => '')
  const entry = /^nobody:[^:]*:(-?\d+):(-?\d+):/m.exec(passwd)
  if (entry) return toNobody(entry[1], entry[2])
  const ids = await Promise.all([run('id', ['-u', 'nobody']), run('id', ['-g', 'nobody'])]).catch(
    () => undefined,
  )
  return toNobody(ids?.[0].stdout.trim(), ids?.[1].stdout.trim())
}

// macOS calls nobody -2; file ownership wants the unsigned form of it.
function toNobody(uid = '65534', gid = '65534'): ServerUser {
  return { name: 'nobody', uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }
}
