/** Every `code` an {@link EmbeddedPostgresError} can carry, with the situation it stands for. */
export const POSTGRES_ERROR_CODES = {
  binariesNotFound: 'ERR_PG_BINARIES_NOT_FOUND',
  binariesUnusable: 'ERR_PG_BINARIES_UNUSABLE',
  dataDirForeign: 'ERR_PG_DATA_DIR_FOREIGN',
  dataDirCorrupt: 'ERR_PG_DATA_DIR_CORRUPT',
  dataDirVersion: 'ERR_PG_DATA_DIR_VERSION',
  dataDirUnreachable: 'ERR_PG_DATA_DIR_UNREACHABLE',
  initFailed: 'ERR_PG_INIT_FAILED',
  startFailed: 'ERR_PG_START_FAILED',
  startTimeout: 'ERR_PG_START_TIMEOUT',
  stopFailed: 'ERR_PG_STOP_FAILED',
} as const

/** One of the values of {@link POSTGRES_ERROR_CODES}. */
export type PostgresErrorCode = (typeof POSTGRES_ERROR_CODES)[keyof typeof POSTGRES_ERROR_CODES]

/** The facts an {@link EmbeddedPostgresError} may carry besides its code. */
export interface PostgresErrorFacts {
  /** The data folder concerned, as used (it may differ from the one asked for, see `startPostgres`). */
  dataDir?: string | undefined
  /** The last lines the server or `initdb` wrote, newest last. Empty when it wrote nothing. */
  logTail?: string | undefined
  cause?: unknown
}

const brand = Symbol.for('@outrider/embedded-postgres/error')

/** What every function of this package rejects with; look at `code` to tell the situations apart. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError'
  readonly code: PostgresErrorCode
  readonly dataDir: string | undefined
  readonly logTail: string | undefined
  readonly [brand] = true

  constructor(code: PostgresErrorCode, message: string, facts: PostgresErrorFacts = {}) {
    const tail = facts.logTail ? `\n${facts.logTail}` : ''
    super(`${message}${tail}`, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.dataDir = facts.dataDir
    this.logTail = facts.logTail
  }
}

/** Tells whether a caught value is an {@link EmbeddedPostgresError}, also one of another copy of this package. */
export function isEmbeddedPostgresError(value: unknown): value is EmbeddedPostgresError {
  return typeof value === 'object' && value !== null && brand in value
}
