import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { copyBinaries, isCopyable } from './binary-copy.ts'
import { executable, findPostgresBinaries, type PostgresBinaries } from './binaries.ts'
import { inspectDataFolder } from './data-folder.ts'
import { EmbeddedPostgresError, POSTGRES_ERROR_CODES } from './errors.ts'
import { resolvePostgresOptions, type ResolvedPostgresOptions } from './options.ts'
import { canExecute, canReach } from './reach.ts'
import { isRoot, serverUserFor, type ServerUser } from './server-user.ts'

/** Where a server's data lives and whom it runs as. */
export interface Placement {
  readonly dataDir: string
  /** Undefined for the own user. */
  readonly user: ServerUser | undefined
}

/**
 * Decides where the data of a requested folder lives. For everybody but root: there. Root's servers run as the
 * folder's owner or `nobody`; where that user cannot reach the folder, the data lives below `stateDir` at a path
 * derived from the requested one, so that the next start finds it again.
 * @throws {EmbeddedPostgresError} ERR_PG_DATA_DIR_UNREACHABLE when an initialised folder cannot be reached
 */
export async function placeData(
  options: Pick<ResolvedPostgresOptions, 'dataDir' | 'stateDir'>,
): Promise<Placement> {
  const { dataDir, stateDir } = options
  if (!isRoot()) return { dataDir, user: undefined }
  const user = await serverUserFor(dataDir)
  const reachable = await canReach(dataDir, user)
  if ((await inspectDataFolder(dataDir)) === 'initialised') {
    if (reachable) return { dataDir, user }
    throw new EmbeddedPostgresError(
      POSTGRES_ERROR_CODES.dataDirUnreachable,
      `The database in ${dataDir} must run as ${user?.name}, who may not pass through the folders above it`,
      { dataDir },
    )
  }
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  const elsewhere = join(stateDir, 'data', `${basename(dataDir).replaceAll(/[^\w.-]/g, '_')}-${hash}`)
  if (reachable && (await inspectDataFolder(elsewhere)) !== 'initialised') return { dataDir, user }
  return { dataDir: elsewhere, user: await serverUserFor(elsewhere) }
}

/** What {@link locateDataDir} takes. */
export interface LocateDataDirOptions {
  /** As given to `startPostgres`. @default '/var/lib/outrider' */
  stateDir?: string | undefined
}

/**
 * Tells where `startPostgres` would keep the data of a folder, changing nothing: in that folder, or for root possibly
 * elsewhere.
 * @throws {EmbeddedPostgresError} as `startPostgres` does for folders it refuses
 */
export async function locateDataDir(dataDir: string, options: LocateDataDirOptions = {}): Promise<string> {
  return (await placeData(resolvePostgresOptions({ ...options, dataDir }))).dataDir
}

/** Makes the folder above a relocated data folder and says through the logger where the data lives. */
export async function announcePlacement(
  placement: Placement,
  options: ResolvedPostgresOptions,
): Promise<void> {
  if (placement.dataDir === options.dataDir) return
  await mkdir(join(options.stateDir, 'data'), { recursive: true, mode: 0o755 })
  options.logger.warn(
    `PostgreSQL cannot run as root, and ${placement.user?.name} cannot reach ${options.dataDir}: ` +
      `the data lives in ${placement.dataDir}`,
  )
}

/**
 * Finds PostgreSQL programs that the server's user may run; copies them below `stateDir` where that helps.
 * @throws {EmbeddedPostgresError} ERR_PG_BINARIES_NOT_FOUND when there are none
 */
export async function placeBinaries(
  user: ServerUser | undefined,
  options: ResolvedPostgresOptions,
): Promise<PostgresBinaries> {
  const reaches = (found: PostgresBinaries) => canExecute(join(found.binDir, executable('postgres')), user)
  const found = await findPostgresBinaries({
    binDir: options.binDir,
    accept: async (candidate) => (await reaches(candidate)) || isCopyable(candidate),
  })
  if (await reaches(found)) return found
  const binDir = await copyBinaries(found, options.stateDir)
  options.logger.warn(
    `PostgreSQL cannot run as root, and ${user?.name} cannot reach ${found.binDir}: its copy in ${binDir} is used`,
  )
  return { ...found, binDir }
}
