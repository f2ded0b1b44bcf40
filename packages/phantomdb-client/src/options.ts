import { checkOptions, type OptionChecks } from '@outrider/options'

/** How to talk to a server. */
export interface ConnectOptions {
  /** The database of calls that name none. @default undefined: only `db(name)` has tables and queries */
  database?: string | undefined
  /** Sent as `Authorization: Bearer …`. @default undefined */
  token?: string | undefined
  /**
   * The most HTTP connections for calls outside of transactions, 1 or more; further calls wait in order. Calls within
   * transactions have connections of their own, without a limit, so that a COMMIT never waits for the calls that wait
   * for its locks. @default 16
   */
  maxConnections?: number | undefined
  /** How long a connection is kept when nothing uses it, in milliseconds. @default 4000 */
  idleTimeoutMs?: number | undefined
  /** How long to wait for a connection to be made, in milliseconds. @default 10_000 */
  connectTimeoutMs?: number | undefined
  /**
   * How long a call may take in all, waiting for a connection included, in milliseconds. `Infinity`: as long as it
   * takes. @default 30_000
   */
  requestTimeoutMs?: number | undefined
}

/** Where the server is, beside {@link ConnectOptions}. */
export interface ConnectOptionsWithUrl extends ConnectOptions {
  /** Such as `http://127.0.0.1:8080`. */
  url: string | URL
}

/** {@link ConnectOptionsWithUrl} with the defaults filled in. */
export interface ResolvedConnectOptions {
  readonly url: URL
  readonly database: string | undefined
  readonly token: string | undefined
  readonly maxConnections: number
  readonly idleTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
}

const defaults = {
  database: undefined,
  token: undefined,
  maxConnections: 16,
  idleTimeoutMs: 4000,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
} as const

const text = {
  expected: 'a string that is not empty',
  accepts: (value: unknown) => typeof value === 'string' && value !== '',
}

/** A duration in milliseconds that a timer can keep. */
export const isTimeout = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) > 0 && Number(value) < 2 ** 31

const timeout = { expected: 'an integer > 0 and < 2147483648', accepts: isTimeout }

const checks: OptionChecks<ConnectOptionsWithUrl> = {
  url: {
    expected: 'an http:// or https:// URL without user, query or fragment',
    accepts: (value) => {
      if (!(value instanceof URL || (typeof value === 'string' && URL.canParse(value)))) return false
      const { protocol, username, search, hash } = new URL(value)
      return /^https?:$/.test(protocol) && username + search + hash === ''
    },
  },
  database: text,
  token: text,
  maxConnections: {
    expected: 'an integer from 1 to 10000',
    accepts: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 10_000,
  },
  idleTimeoutMs: timeout,
  connectTimeoutMs: timeout,
  requestTimeoutMs: {
    expected: 'an integer > 0 and < 2147483648, or Infinity',
    accepts: (value) => value === Infinity || isTimeout(value),
  },
}

/** Fills in the defaults. @throws {TypeError} naming an unknown option or a value that does not fit */
export function resolveConnectOptions(options: ConnectOptionsWithUrl): ResolvedConnectOptions {
  checkOptions(options, checks)
  if (options.url === undefined) throw new TypeError('Expected the url of a PhantomDB server')
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return { ...defaults, ...given, url: new URL(options.url) }
}
