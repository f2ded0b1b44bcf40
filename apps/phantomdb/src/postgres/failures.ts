import { CallError } from '../errors.ts'

/** HTTP statuses of SQLSTATEs, the longest prefix that fits; 400 for all others. */
const statuses: Readonly<Record<string, number>> = {
  '08': 503,
  '23': 409,
  '25P02': 409,
  '2BP01': 409,
  '3D000': 404,
  '40': 409,
  '42501': 403,
  '42P01': 404,
  '42P04': 409,
  '42P07': 409,
  '53': 503,
  '55': 409,
  '57': 503,
  '58': 503,
  XX: 500,
}

const retryable = /^(?:08|40|53|57P)/

/** An error as PostgreSQL sends it. */
interface PostgresFailure extends Error {
  readonly code: string
  readonly constraint?: string
  readonly table?: string
  readonly column?: string
  readonly position?: string
}

/** Whether PostgreSQL itself refused, so that the connection still works and nothing of the statement is done. */
export function isPostgresFailure(error: unknown): error is PostgresFailure {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^[0-9A-Z]{5}$/.test(error.code) &&
    'severity' in error
  )
}

/** The error reply for whatever a call to PostgreSQL threw. */
export function failureOf(error: unknown): CallError {
  if (error instanceof CallError) return error
  if (isPostgresFailure(error)) {
    const { code, constraint, table, column, position } = error
    const details = { constraint, table, column, position: position && Number(position) }
    return new CallError('query_error', messageOf(error), {
      status: statuses[code] ?? statuses[code.slice(0, 2)] ?? 400,
      sqlstate: code,
      details: Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined)),
      retryable: retryable.test(code),
    })
  }
  if (isConnectionLoss(error)) {
    return new CallError('unavailable', 'PostgreSQL cannot be reached', {
      sqlstate: '08006',
      retryable: true,
    })
  }
  return new CallError('internal_error', 'The call failed inside the gateway')
}

// Class 22 is about values, and PostgreSQL quotes them: `invalid input syntax for type integer: "abc"`.
function messageOf({ code, message }: PostgresFailure): string {
  if (code.startsWith('22')) return message.replace(/".*"/s, '"?"')
  if (code === '42P01')
    return message.replace(/^relation "(.*)" does not exist$/, "Table '$1' does not exist")
  return message
}

// What `pg` and its pool say without a code.
const lossMessages = /timeout exceeded|connection (?:terminated|error|timeout)|not queryable|end on the pool/i

function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.some(isConnectionLoss)
  return lossMessages.test(error.message) || ('syscall' in error && 'code' in error)
}
