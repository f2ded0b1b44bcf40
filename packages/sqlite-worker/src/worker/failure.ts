import Database from 'better-sqlite3'
import type { FailurePayload } from '../protocol.ts'

/** Thrown inside a thread where the kind of a failure is already known. */
export class WorkerFailure extends Error {
  readonly kind: FailurePayload['kind']

  constructor(kind: FailurePayload['kind'], message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

/** Says which statement of a batch threw. */
export class StepFailure extends Error {
  readonly step: number

  constructor(step: number, cause: unknown) {
    super('A statement of the batch failed', { cause })
    this.step = step
  }
}

/** Turns anything thrown by better-sqlite3 into what crosses to the other thread. */
export function toFailure(error: unknown): FailurePayload {
  if (error instanceof StepFailure) return { ...toFailure(error.cause), step: error.step }
  if (error instanceof WorkerFailure) {
    const failure = { kind: error.kind, message: error.message, sqliteCode: sqliteCodeOf(error.cause) }
    return error.cause === undefined ? failure : { ...failure, cause: clonable(error.cause) }
  }
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

function sqliteCodeOf(cause: unknown): string | undefined {
  return cause instanceof Database.SqliteError ? cause.code : undefined
}

function clonable(cause: unknown): unknown {
  try {
    return structuredClone(cause)
  } catch {
    return new Error(cause instanceof Error ? cause.message : String(cause))
  }
}
