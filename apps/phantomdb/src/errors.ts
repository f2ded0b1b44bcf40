/** Every code of a {@link PhantomDBServerError}. */
export const serverErrorCodes = [
  'ERR_ALREADY_SERVED',
  'ERR_AUTH_REQUIRED',
  'ERR_DATABASE_UNREACHABLE',
  'ERR_LISTEN',
] as const

/** One of {@link serverErrorCodes}. */
export type ServerErrorCode = (typeof serverErrorCodes)[number]

/** Why a gateway could not be started. */
export class PhantomDBServerError extends Error {
  override readonly name = 'PhantomDBServerError'
  readonly code: ServerErrorCode
  /** Where the data folder is served already; only with `ERR_ALREADY_SERVED`, where it is known. */
  readonly url: string | undefined

  constructor(
    code: ServerErrorCode,
    message: string,
    facts: { url?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.url = facts.url
  }
}

/** Every `code` of an error reply, with its HTTP status; `query_error` has that of its SQLSTATE. */
export const replyStatus = {
  invalid_request: 400,
  invalid_condition: 400,
  query_error: 400,
  too_many_rows: 400,
  unauthorized: 401,
  host_refused: 403,
  not_found: 404,
  transaction_not_found: 404,
  transaction_aborted: 409,
  transaction_ended: 409,
  wrong_database: 409,
  transaction_expired: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  cancelled: 499,
  internal_error: 500,
  unavailable: 503,
} as const

/** One of the codes of {@link replyStatus}. */
export type ReplyCode = keyof typeof replyStatus

/** What an error reply says beside its code and message. */
export interface CallErrorFacts {
  readonly status?: number
  readonly sqlstate?: string | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
  readonly retryable?: boolean
}

/** A call that fails with an error reply. Its message never holds values of parameters. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly code: ReplyCode
  readonly status: number
  readonly sqlstate: string | undefined
  readonly details: Readonly<Record<string, unknown>>
  readonly retryable: boolean

  constructor(code: ReplyCode, message: string, facts: CallErrorFacts = {}) {
    super(message)
    this.code = code
    this.status = facts.status ?? replyStatus[code]
    this.sqlstate = facts.sqlstate
    this.details = facts.details ?? {}
    this.retryable = facts.retryable ?? false
  }
}

/** The table of a call is not there: what PostgreSQL calls 42P01. */
export function tableNotFound(table: string): CallError {
  return new CallError('query_error', `Table '${table}' does not exist`, {
    status: 404,
    sqlstate: '42P01',
    details: { table },
  })
}
