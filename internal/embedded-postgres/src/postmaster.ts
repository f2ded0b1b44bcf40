import { readFile, readlink, writeFile, realpath } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { isProcessAlive } from './process.ts'

/** What a running server says about itself in `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  /** The socket folder or the address; what `pg` takes as `host`. */
  readonly host: string
  readonly socketDir: string | undefined
  readonly ready: boolean
}

// Above every process id Linux hands out (2^22 at most).
const UNUSED_PID = 4_194_999

/**
 * Reads `postmaster.pid`: who serves this data folder, or undefined when nobody does (or it is not complete yet).
 * The format is that of PostgreSQL's `src/include/utils/pidfile.h`.
 */
export async function readPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const text = await readFile(pidFile(dataDir), 'utf8').catch(() => '')
  const [pidLine, , , portLine, socketDir = '', address = '', , status = ''] = text.split('\n')
  const [pid, port] = [Number(pidLine), Number(portLine)]
  if (!(pid > 0) || !(port > 0)) return undefined
  const host = socketDir === '' ? address.trim() : socketDir.trim()
  return { pid, port, host, socketDir: socketDir.trim() || undefined, ready: status.trim() === 'ready' }
}

/** Tells whether a server process of this data folder lives; a reused process id does not count. */
export async function isPostmasterAlive(postmaster: Postmaster, dataDir: string): Promise<boolean> {
  if (!isProcessAlive(postmaster.pid)) return false
  // A server's working directory is its data folder. Unreadable where there is no /proc: then the id decides.
  const cwd = await readlink(`/proc/${postmaster.pid}/cwd`).catch(() => undefined)
  return cwd === undefined || cwd === (await realpath(dataDir))
}

/**
 * Makes PostgreSQL see that the server named in `postmaster.pid` is gone where its own look at the process id says
 * otherwise (a zombie, or an id in use again). Its check for leftover backends stays in force, which removing the
 * file would disable.
 */
export async function disownDeadPostmaster(dataDir: string, pid: number): Promise<void> {
  const text = await readFile(pidFile(dataDir), 'utf8').catch(() => '')
  if (!text.startsWith(`${pid}\n`) && !text.startsWith(`-${pid}\n`)) return
  await writeFile(pidFile(dataDir), text.replace(/^-?\d+/, String(UNUSED_PID)))
}

/** Tells whether a server accepts connections. */
export function acceptsConnections(
  server: Pick<Postmaster, 'host' | 'port' | 'socketDir'>,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = server.socketDir
      ? createConnection({ path: join(server.socketDir, `.s.PGSQL.${server.port}`) })
      : createConnection({ host: server.host, port: server.port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function pidFile(dataDir: string): string {
  return join(dataDir, 'postmaster.pid')
}
