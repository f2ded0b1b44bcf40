import { resolve } from 'node:path'

/** Where this package says what it does and what it had to do differently; `console` fits. */
export interface PostgresLogger {
  info(message: string): void
  warn(message: string): void
}

/** What `startPostgres` takes; only `dataDir` is required. */
export interface StartPostgresOptions {
  /** The data folder; created and initialised when absent or empty. Relative to the working directory. */
  dataDir: string
  /** @default silent */
  logger?: PostgresLogger | undefined
  /** The folder of `pg_ctl` and `initdb` to use. @default found by `findPostgresBinaries` */
  binDir?: string | undefined
  /** How long to wait for the server (and for another process that starts it). @default 60_000 */
  startTimeoutMs?: number | undefined
  /**
   * `'none'` switches fsync off: faster, and a power cut may destroy the folder. For tests only.
   * Has no effect on a server that already runs. @default 'full'
   */
  durability?: 'full' | 'none' | undefined
  /** Name of the superuser, fixed when the folder is initialised. @default 'postgres' */
  user?: string | undefined
  /** Further server settings, for example `{ max_connections: '200' }`. No effect on a running server. */
  settings?: Readonly<Record<string, string>> | undefined
  /** How clients connect, fixed when the folder is initialised. @default 'tcp' on Windows, else 'socket' */
  transport?: 'socket' | 'tcp' | undefined
  /** Where root keeps what `nobody` must reach. @default '/var/lib/outrider' */
  stateDir?: string | undefined
}

/** {@link StartPostgresOptions} with every default filled in. */
export interface ResolvedPostgresOptions {
  readonly dataDir: string
  readonly logger: PostgresLogger
  readonly binDir: string | undefined
  readonly startTimeoutMs: number
  readonly durability: 'full' | 'none'
  readonly user: string
  readonly settings: Readonly<Record<string, string>>
  readonly transport: 'socket' | 'tcp'
  readonly stateDir: string
}

const silent: PostgresLogger = { info() {}, warn() {} }

/**
 * Fills in the defaults and refuses what cannot work.
 * @throws {TypeError} when `dataDir` is empty or a value is out of its range
 */
export function resolvePostgresOptions(options: StartPostgresOptions): ResolvedPostgresOptions {
  const { dataDir, startTimeoutMs = 60_000, user = 'postgres', settings = {} } = options
  if (typeof dataDir !== 'string' || dataDir === '') throw new TypeError('Expected dataDir to be a path')
  if (!(startTimeoutMs > 0)) {
    throw new TypeError(`Expected startTimeoutMs to be a number > 0, got ${String(startTimeoutMs)}`)
  }
  if (!/^[a-z_][a-z0-9_]*$/.test(user)) throw new TypeError(`Expected user to be a plain lower-case name`)
  const badSetting = Object.keys(settings).find((name) => !/^[a-z_.]+$/.test(name))
  if (badSetting !== undefined)
    throw new TypeError(`Expected the name of a server setting, got ${badSetting}`)
  return {
    dataDir: resolve(dataDir),
    logger: options.logger ?? silent,
    binDir: options.binDir === undefined ? undefined : resolve(options.binDir),
    startTimeoutMs,
    durability: options.durability ?? 'full',
    user,
    settings,
    transport: options.transport ?? (process.platform === 'win32' ? 'tcp' : 'socket'),
    stateDir: resolve(options.stateDir ?? '/var/lib/outrider'),
  }
}
