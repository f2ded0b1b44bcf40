import { createServer } from 'node:net'
import { join } from 'node:path'
import { executable, type PostgresBinaries } from './binaries.ts'
import { runCommand, type CommandResult } from './command.ts'
import { EmbeddedPostgresError, POSTGRES_ERROR_CODES } from './errors.ts'
import type { ResolvedPostgresOptions } from './options.ts'
import type { Placement } from './placement.ts'
import { LOG_FILE } from './server-log.ts'

/** Runs `pg_ctl` on a data folder, as its user. */
export async function pgCtl(
  binaries: PostgresBinaries,
  { dataDir, user }: Placement,
  args: readonly string[],
): Promise<CommandResult> {
  const file = join(binaries.binDir, executable('pg_ctl'))
  try {
    // The folder travels as a variable and the log as a relative name: `pg_ctl` pastes its arguments into a shell.
    return await runCommand(file, args, { user, cwd: dataDir, env: { PGDATA: dataDir } })
  } catch (cause) {
    throw new EmbeddedPostgresError(POSTGRES_ERROR_CODES.binariesUnusable, `${file} cannot be run`, { cause })
  }
}

/** How {@link pgCtlStart} starts a server. */
export interface PgCtlStartOptions extends Pick<ResolvedPostgresOptions, 'durability' | 'settings'> {
  /** Where the socket goes; undefined to listen on TCP instead. */
  readonly socketDir: string | undefined
  readonly timeoutMs: number
}

/** Runs `pg_ctl start` and waits until the server is ready, has failed, or `timeoutMs` is over. */
export async function pgCtlStart(
  binaries: PostgresBinaries,
  placement: Placement,
  options: PgCtlStartOptions,
): Promise<CommandResult> {
  const settings = {
    ...(await listenSettings(options.socketDir)),
    ...(options.durability === 'none' && {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
    }),
    ...options.settings,
  }
  const server = Object.entries(settings).map(([name, value]) => `-c ${quote(`${name}=${value}`)}`)
  const seconds = String(Math.ceil(options.timeoutMs / 1000))
  return pgCtl(binaries, placement, ['start', '-w', '-t', seconds, '-l', LOG_FILE, '-o', server.join(' ')])
}

async function listenSettings(socketDir: string | undefined): Promise<Record<string, string>> {
  if (socketDir !== undefined) {
    return {
      listen_addresses: '',
      unix_socket_directories: socketDir,
      unix_socket_permissions: '0700',
      port: '5432',
    }
  }
  const port = String(await findFreePort())
  return { listen_addresses: '127.0.0.1', unix_socket_directories: '', port }
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

function quote(argument: string): string {
  if (process.platform === 'win32') return `"${argument.replaceAll('"', '\\"')}"`
  return `'${argument.replaceAll("'", `'\\''`)}'`
}
