import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresBinaries } from './binaries.ts'
import {
  assertMajorVersion,
  claimDataFolder,
  inspectDataFolder,
  LOCK_FILE,
  readMarker,
  type DataFolderMarker,
} from './data-folder.ts'
import { EmbeddedPostgresError, POSTGRES_ERROR_CODES } from './errors.ts'
import { initialiseDataFolder } from './initdb.ts'
import { resolvePostgresOptions, type ResolvedPostgresOptions, type StartPostgresOptions } from './options.ts'
import { pgCtlStart } from './pg-ctl.ts'
import { announcePlacement, placeBinaries, placeData, type Placement } from './placement.ts'
import {
  acceptsConnections,
  disownDeadPostmaster,
  isPostmasterAlive,
  readPostmaster,
  type Postmaster,
} from './postmaster.ts'
import { LockTimeoutError, withProcessLock } from './process-lock.ts'
import { logTail, prepareLog } from './server-log.ts'
import { prepareSocketFolder, removeSocketFolder, removeStaleSocket } from './socket-folder.ts'
import { stopPostgres } from './stop.ts'

/** A running server of a data folder; it lives on when this process ends without `stop()`. */
export interface RunningPostgres extends AsyncDisposable {
  /** Of the database `postgres`; for `pg`, `psql` and `new URL()`. Holds the password where there is one. */
  readonly url: string
  /** What `pg` takes as `host`: the socket's folder, or the address. */
  readonly host: string
  readonly port: number
  /** The private folder of the socket; undefined when the server listens on TCP. */
  readonly socketDir: string | undefined
  readonly user: string
  /** Undefined where reaching the socket is enough. */
  readonly password: string | undefined
  /** Where the data really lives; differs from the option only for root, see the README. */
  readonly dataDir: string
  /** Of the server's main process. */
  readonly pid: number
  /** Of the programs found, for example `'18.4'`. */
  readonly version: string
  /** Whether the server ran already, started by another call or process. */
  readonly adopted: boolean
  /** Stops the server, also an adopted one, disconnecting its clients. Does nothing when it is stopped. */
  stop(): Promise<void>
}

/**
 * Starts the PostgreSQL server of a data folder, or adopts the one that already serves it. The folder is
 * initialised when absent or empty. Calls for the same folder, also from other processes, take turns: one starts
 * the server and the others adopt it. Resolves once connections are accepted.
 * @throws {EmbeddedPostgresError} see the table in the README
 * @throws {TypeError} when an option cannot be used
 */
export async function startPostgres(options: StartPostgresOptions): Promise<RunningPostgres> {
  const resolved = resolvePostgresOptions(options)
  const deadline = performance.now() + resolved.startTimeoutMs
  const placement = await placeData(resolved)
  const { dataDir, user } = placement
  // Before anything is written: a folder that is refused stays untouched.
  await inspectDataFolder(dataDir)
  await announcePlacement(placement, resolved)
  const binaries = await placeBinaries(user, resolved)
  await claimDataFolder(dataDir, user)
  const locked = withProcessLock(
    join(dataDir, LOCK_FILE),
    () => startLocked(placement, binaries, resolved, deadline),
    { timeoutMs: resolved.startTimeoutMs },
  )
  const { postmaster, marker, adopted } = await locked.catch((error: unknown) => {
    throw error instanceof LockTimeoutError
      ? timeoutError(dataDir, 'another process starts or stops it')
      : error
  })
  resolved.logger.info(
    `PostgreSQL ${binaries.version} ${adopted ? 'is already running' : 'started'} (process ${postmaster.pid})`,
  )
  const stop = () => stopPostgres(dataDir, { binDir: binaries.binDir, stateDir: resolved.stateDir })
  return {
    url: connectionUrl(postmaster, marker),
    host: postmaster.host,
    port: postmaster.port,
    socketDir: postmaster.socketDir,
    user: marker.user,
    password: marker.password,
    dataDir,
    pid: postmaster.pid,
    version: binaries.version,
    adopted,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface Started {
  postmaster: Postmaster
  marker: DataFolderMarker
  adopted: boolean
}

async function startLocked(
  placement: Placement,
  binaries: PostgresBinaries,
  options: ResolvedPostgresOptions,
  deadline: number,
): Promise<Started> {
  const { dataDir } = placement
  if ((await inspectDataFolder(dataDir)) === 'initialised') {
    await assertMajorVersion(dataDir, binaries.major)
    const running = await findRunning(dataDir, deadline)
    if (running) return { postmaster: running, marker: await readMarker(dataDir), adopted: true }
  } else {
    options.logger.info(`Initialising a PostgreSQL ${binaries.version} data folder in ${dataDir}`)
    await initialiseDataFolder(placement, binaries, options)
  }
  const marker = await readMarker(dataDir)
  return {
    postmaster: await startServer(placement, binaries, marker, options, deadline),
    marker,
    adopted: false,
  }
}

/** Waits for whoever `postmaster.pid` names until it is ready (then returns it) or gone. */
async function findRunning(dataDir: string, deadline: number): Promise<Postmaster | undefined> {
  for (;;) {
    const postmaster = await readPostmaster(dataDir)
    if (!postmaster) return undefined
    if (!(await isPostmasterAlive(postmaster, dataDir))) {
      await disownDeadPostmaster(dataDir, postmaster.pid)
      if (postmaster.socketDir) await removeStaleSocket(postmaster.socketDir)
      return undefined
    }
    if (postmaster.ready && (await acceptsConnections(postmaster))) return postmaster
    if (performance.now() > deadline) {
      throw timeoutError(dataDir, `process ${postmaster.pid} serves it and does not answer`)
    }
    await sleep(20)
  }
}

async function startServer(
  placement: Placement,
  binaries: PostgresBinaries,
  marker: DataFolderMarker,
  options: ResolvedPostgresOptions,
  deadline: number,
): Promise<Postmaster> {
  const { dataDir, user } = placement
  const { durability, settings } = options
  const socketDir = marker.transport === 'socket' ? await prepareSocketFolder(dataDir, user) : undefined
  for (;;) {
    const logStart = await prepareLog(dataDir, user)
    const timeoutMs = Math.max(1000, deadline - performance.now())
    const result = await pgCtlStart(binaries, placement, { durability, settings, socketDir, timeoutMs })
    const postmaster = await readPostmaster(dataDir)
    if (result.status === 0 && postmaster) return postmaster
    const tail = (await logTail(dataDir, logStart)) || result.output
    if (/did not start in time|still starting up/.test(result.output)) {
      throw timeoutError(dataDir, 'it goes on starting', tail)
    }
    // Backends of a killed server need a moment to notice; until then their shared memory blocks a new one.
    const blocked = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/.test(tail)
    if (!blocked || performance.now() > deadline) {
      await removeSocketFolder(socketDir)
      throw new EmbeddedPostgresError(
        POSTGRES_ERROR_CODES.startFailed,
        `The PostgreSQL server of ${dataDir} did not start`,
        { dataDir, logTail: tail },
      )
    }
    await sleep(50)
  }
}

function timeoutError(dataDir: string, reason: string, tail?: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    POSTGRES_ERROR_CODES.startTimeout,
    `The PostgreSQL server of ${dataDir} was not ready in time: ${reason}`,
    { dataDir, logTail: tail },
  )
}

// With a host name in it every URL parser accepts the address; `pg` and libpq prefer the parameter `host`.
function connectionUrl({ host, port, socketDir }: Postmaster, { user, password }: DataFolderMarker): string {
  const credentials = password === undefined ? user : `${user}:${encodeURIComponent(password)}`
  if (!socketDir) return `postgres://${credentials}@${host}:${port}/postgres`
  return `postgres://${credentials}@localhost/postgres?host=${encodeURIComponent(socketDir)}&port=${port}`
}
