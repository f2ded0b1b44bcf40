import Database from 'better-sqlite3'
import type { FailurePayload } from '../protocol.ts'

/** Thrown inside the worker where the kind of a failure is already known. */
export class WorkerFailure extends Error {
  readonly kind: FailurePayload['kind']

  constructor(kind: FailurePayload['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** Turns anything thrown by better-sqlite3 into what crosses to the other thread. */
export function toFailure(error: unknown): FailurePayload {
  if (error instanceof WorkerFailure)
    return { kind: error.kind, message: error.message, sqliteCode: undefined }
  if (error instanceof Database.SqliteError) {
    return { kind: 'sqlite', message: error.message, sqliteCode: error.code }
  }
  // better-sqlite3 throws RangeError and TypeError for parameters that do not fit the statement
  return {
    kind: 'parameters',
    message: error instanceof Error ? error.message : String(error),
    sqliteCode: undefined,
  }
}
