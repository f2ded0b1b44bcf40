import {
  AuthError,
  ConnectionError,
  databaseErrorWith,
  InterfaceError,
  OperationalError,
  TransactionExpiredError,
  type ErrorFacts,
  type PhantomDBError,
} from './errors.ts'

/** The error for a reply that says no. */
export function replyError(status: number, body: unknown): PhantomDBError {
  if (!isErrorBody(body)) {
    return new ConnectionError(`The server answered ${status}, and not as PhantomDB does`, {
      maybeExecuted: true,
    })
  }
  const { message, code, requestId, details } = body
  const facts: ErrorFacts = { code, requestId, details }
  if (status === 401 || status === 403) {
    if (code === 'unauthorized' || code === 'host_refused') return new AuthError(message, facts)
  }
  if (code === 'transaction_expired' || code === 'transaction_not_found') {
    return new TransactionExpiredError(message, facts)
  }
  if (typeof body.sqlstate === 'string')
    return databaseErrorWith(message, { ...facts, sqlstate: body.sqlstate })
  return status === 503 ? new OperationalError(message, facts) : new InterfaceError(message, facts)
}

interface ErrorBody {
  readonly message: string
  readonly code: string
  readonly sqlstate: unknown
  readonly requestId: string
  readonly details: Readonly<Record<string, unknown>>
}

function isErrorBody(body: unknown): body is ErrorBody {
  return (
    typeof body === 'object' &&
    body !== null &&
    'message' in body &&
    typeof body.message === 'string' &&
    'code' in body &&
    typeof body.code === 'string'
  )
}

const neverConnected = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** The error for a call without a reply. */
export function transportError(cause: unknown): PhantomDBError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') {
    return new InterfaceError('The client is closed', { cause })
  }
  if (neverConnected.has(code)) {
    return new ConnectionError('Failed to connect to PhantomDB server', { cause, maybeExecuted: false })
  }
  return new ConnectionError('Lost the connection to PhantomDB server; the call may have run', {
    cause,
    maybeExecuted: true,
  })
}
