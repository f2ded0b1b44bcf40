import { checkOptions, type OptionChecks } from '@outrider/options'

/** Where a gateway says what happens; `console` fits. Never told SQL, parameters or tokens. */
export interface GatewayLogger {
  info(message: string): void
  warn(message: string): void
}

/** Who may call: everybody on this machine, or whoever has the token. */
export type Auth = 'none' | 'token' | { readonly token: string }

/** What `startPhantomDB` takes; nothing is required. */
export interface StartPhantomDBOptions {
  /**
   * The folder of the embedded PostgreSQL and of `server.json`, made when absent. With `url`, only `server.json` goes
   * there, and nothing is written when undefined. @default './phantomdb-data', with `url` undefined
   */
  dataDir?: string | undefined
  /** A PostgreSQL to use instead of the embedded one: `postgres://user:password@host/database`. */
  url?: string | undefined
  /** The address to listen on. Others than loopback need `auth`. @default '127.0.0.1' */
  host?: string | undefined
  /** 0 takes a free one. @default 8080 */
  port?: number | undefined
  /** `'token'` generates a token; see {@link PhantomDBServer.token}. @default 'none' */
  auth?: Auth | undefined
  /** @default silent */
  logger?: GatewayLogger | undefined
  /** Connections per database for calls outside of transactions, 1 or more. @default 10 */
  maxConnections?: number | undefined
  /** Transactions open at once per database, 1 or more; each has a connection. @default 20 */
  maxTransactions?: number | undefined
  /** How long a call waits for a connection, in milliseconds, before it fails with 503. @default 10_000 */
  acquireTimeoutMs?: number | undefined
  /** How long a transaction may be idle between calls, in milliseconds, unless it says otherwise. @default 30_000 */
  transactionTimeoutMs?: number | undefined
  /** The largest body of a request. @default 16 MiB */
  maxBodyBytes?: number | undefined
}

/** {@link StartPhantomDBOptions} with the defaults filled in. */
export interface ResolvedOptions {
  readonly dataDir: string | undefined
  readonly url: string | undefined
  readonly host: string
  readonly port: number
  readonly auth: Auth
  readonly logger: GatewayLogger
  readonly maxConnections: number
  readonly maxTransactions: number
  readonly acquireTimeoutMs: number
  readonly transactionTimeoutMs: number
  readonly maxBodyBytes: number
}

/** Where data goes when nothing is said. */
export const defaultDataDir = './phantomdb-data'

const defaults = {
  host: '127.0.0.1',
  port: 8080,
  auth: 'none',
  logger: { info() {}, warn() {} },
  maxConnections: 10,
  maxTransactions: 20,
  acquireTimeoutMs: 10_000,
  transactionTimeoutMs: 30_000,
  maxBodyBytes: 16 * 1024 * 1024,
} as const

const string = {
  expected: 'a string that is not empty',
  accepts: (value: unknown) => typeof value === 'string' && value !== '',
}

const integer = (minimum: number, maximum: number) => ({
  expected: `an integer from ${minimum} to ${maximum}`,
  accepts: (value: unknown) =>
    Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum,
})

const checks: OptionChecks<StartPhantomDBOptions> = {
  dataDir: string,
  url: {
    expected: 'a postgres:// URL',
    accepts: (value) =>
      typeof value === 'string' && /^postgres(?:ql)?:\/\//.test(value) && URL.canParse(value),
  },
  host: string,
  port: integer(0, 65_535),
  auth: {
    expected: "'none', 'token' or { token } of 16 characters or more",
    accepts: (value) =>
      value === 'none' ||
      value === 'token' ||
      (typeof value === 'object' &&
        value !== null &&
        'token' in value &&
        typeof value.token === 'string' &&
        /^[\x21-\x7e]{16,}$/.test(value.token)),
  },
  logger: {
    expected: 'an object with info() and warn()',
    accepts: (value) => typeof value === 'object' && value !== null && 'info' in value && 'warn' in value,
  },
  maxConnections: integer(1, 1000),
  maxTransactions: integer(1, 1000),
  acquireTimeoutMs: integer(1, 2 ** 31 - 1),
  transactionTimeoutMs: integer(1, 2 ** 31 - 1),
  maxBodyBytes: integer(1, 2 ** 30),
}

/** Fills in the defaults. @throws {TypeError} naming an unknown option or a value that does not fit */
export function resolveOptions(options: StartPhantomDBOptions): ResolvedOptions {
  checkOptions(options, checks)
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const dataDir = options.dataDir ?? (options.url === undefined ? defaultDataDir : undefined)
  return { ...defaults, url: undefined, ...given, dataDir }
}
