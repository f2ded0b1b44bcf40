import { randomBytes } from 'node:crypto'
import { chown, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { executable, type PostgresBinaries } from './binaries.ts'
import { runCommand } from './command.ts'
import { fillDataFolder, type DataFolderMarker } from './data-folder.ts'
import { EmbeddedPostgresError, POSTGRES_ERROR_CODES } from './errors.ts'
import type { ResolvedPostgresOptions } from './options.ts'
import type { Placement } from './placement.ts'

/**
 * Initialises an empty data folder: UTF-8, byte-wise sorting, UTC; whoever reaches the private socket is trusted,
 * over TCP a random password is needed.
 * @throws {EmbeddedPostgresError} ERR_PG_INIT_FAILED with what `initdb` wrote
 */
export async function initialiseDataFolder(
  placement: Placement,
  binaries: PostgresBinaries,
  options: ResolvedPostgresOptions,
): Promise<void> {
  const { dataDir, user } = placement
  const { transport } = options
  const password = transport === 'tcp' ? randomBytes(24).toString('base64url') : undefined
  const marker: DataFolderMarker = { user: options.user, transport, ...(password && { password }) }
  const passwordFile = join(dataDir, '.outrider-password')
  try {
    if (password) await writeFile(passwordFile, password, { mode: 0o600 })
    if (password && user) await chown(passwordFile, user.uid, user.gid)
    await fillDataFolder(dataDir, marker, user, async (draftDir) => {
      const args = [
        '--pgdata',
        draftDir,
        '--username',
        options.user,
        '--encoding',
        'UTF8',
        '--no-instructions',
        ...localeArguments(binaries.major),
        ...(password ? ['--auth', 'scram-sha-256', '--pwfile', passwordFile] : ['--auth', 'trust']),
        ...(options.durability === 'none' ? ['--no-sync'] : []),
      ]
      await runInitdb(join(binaries.binDir, executable('initdb')), args, placement)
    })
  } finally {
    await rm(passwordFile, { force: true })
  }
}

async function runInitdb(file: string, args: string[], { dataDir, user }: Placement): Promise<void> {
  const result = await runCommand(file, args, { user }).catch((cause: unknown) => {
    throw new EmbeddedPostgresError(POSTGRES_ERROR_CODES.binariesUnusable, `${file} cannot be run`, { cause })
  })
  if (result.status === 0) return
  throw new EmbeddedPostgresError(POSTGRES_ERROR_CODES.initFailed, `Could not initialise ${dataDir}`, {
    dataDir,
    logTail: result.output.split('\n').slice(-20).join('\n'),
  })
}

// The built-in provider (17 and later) knows upper and lower case of all letters wherever it runs, while the
// plain C locale knows those of ASCII only and C.UTF-8 is not on every system.
function localeArguments(major: number): string[] {
  return major >= 17
    ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    : ['--locale=C']
}
