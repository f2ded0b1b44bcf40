import { join } from 'node:path'
import { inspectDataFolder, LOCK_FILE } from './data-folder.ts'
import { EmbeddedPostgresError, POSTGRES_ERROR_CODES } from './errors.ts'
import { resolvePostgresOptions, type PostgresLogger } from './options.ts'
import { pgCtl } from './pg-ctl.ts'
import { placeBinaries, placeData } from './placement.ts'
import { disownDeadPostmaster, isPostmasterAlive, readPostmaster } from './postmaster.ts'
import { withProcessLock } from './process-lock.ts'
import { removeSocketFolder } from './socket-folder.ts'

/** What {@link stopPostgres} takes. */
export interface StopPostgresOptions {
  /** @default found by `findPostgresBinaries` */
  binDir?: string | undefined
  /** As given to `startPostgres`. @default '/var/lib/outrider' */
  stateDir?: string | undefined
  /** @default silent */
  logger?: PostgresLogger | undefined
  /** How long a fast shutdown may take before an immediate one (recovered at the next start). @default 30_000 */
  timeoutMs?: number | undefined
}

/**
 * Stops the server of a data folder, whoever started it. Clients are disconnected, what they committed is kept.
 * Does nothing when no server runs or there is no such folder.
 * @throws {EmbeddedPostgresError} ERR_PG_STOP_FAILED when the server survives also the immediate shutdown
 */
export async function stopPostgres(dataDir: string, options: StopPostgresOptions = {}): Promise<void> {
  const { timeoutMs = 30_000, ...rest } = options
  const resolved = resolvePostgresOptions({ ...rest, dataDir })
  const placement = await placeData(resolved)
  if ((await inspectDataFolder(placement.dataDir)) !== 'initialised') return
  await withProcessLock(join(placement.dataDir, LOCK_FILE), async () => {
    const running = await readPostmaster(placement.dataDir)
    if (!running) return
    if (await isPostmasterAlive(running, placement.dataDir)) {
      const binaries = await placeBinaries(placement.user, resolved)
      const seconds = String(Math.ceil(timeoutMs / 1000))
      const fast = await pgCtl(binaries, placement, ['stop', '-w', '-t', seconds, '-m', 'fast'])
      if (fast.status !== 0 && (await isPostmasterAlive(running, placement.dataDir))) {
        const immediate = await pgCtl(binaries, placement, ['stop', '-w', '-t', '10', '-m', 'immediate'])
        if (immediate.status !== 0) {
          throw new EmbeddedPostgresError(
            POSTGRES_ERROR_CODES.stopFailed,
            `The PostgreSQL server of ${placement.dataDir} (process ${running.pid}) does not stop`,
            { dataDir: placement.dataDir, logTail: immediate.output },
          )
        }
      }
    } else {
      await disownDeadPostmaster(placement.dataDir, running.pid)
    }
    await removeSocketFolder(running.socketDir)
  })
}
