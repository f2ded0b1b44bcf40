import { SqliteWorkerError } from '../errors.ts'
import type { JobError } from './job.ts'
import type { StandardIssue } from './standard-schema.ts'

/** A payload does not fit the schema of its task. Thrown by `add`; a stored one that no longer fits makes its job dead. */
export class PayloadError extends SqliteWorkerError {
  override readonly name = 'PayloadError'
  override readonly code = 'ERR_JOB_PAYLOAD'
  readonly task: string
  /** What the schema found. Their messages are the schema's and may show values. */
  readonly issues: readonly StandardIssue[]

  constructor(task: string, issues: readonly StandardIssue[]) {
    const places = issues.map(({ path }) => (path?.length ? path.map(keyOf).join('.') : '(all of it)'))
    super(`The payload does not fit the schema of task ${JSON.stringify(task)} at ${places.join(', ')}`)
    this.task = task
    this.issues = issues
  }
}

/** The job that was waited for ended dead: it failed too often, or in a way that is not retried. */
export class JobDeadError extends SqliteWorkerError {
  override readonly name = 'JobDeadError'
  override readonly code = 'ERR_JOB_DEAD'
  readonly jobId: number
  /** Its last failure, as it was stored. */
  readonly failure: JobError | undefined

  constructor(jobId: number, failure: JobError | undefined) {
    super(`Job ${jobId} is dead after its last attempt failed${failure ? ` with ${failure.name}` : ''}`)
    this.jobId = jobId
    this.failure = failure
  }
}

/** There is no job of this id in this queue: there never was, or retention has removed it. */
export class JobNotFoundError extends SqliteWorkerError {
  override readonly name = 'JobNotFoundError'
  override readonly code = 'ERR_JOB_NOT_FOUND'
  readonly jobId: number

  constructor(jobId: number) {
    super(`There is no job ${jobId} in this queue`)
    this.jobId = jobId
  }
}

/** A handler ran for longer than `timeoutMs`. The reason of its signal, and the failure of that attempt. */
export class JobTimeoutError extends SqliteWorkerError {
  override readonly name = 'JobTimeoutError'
  override readonly code = 'ERR_JOB_TIMEOUT'
  readonly jobId: number
  readonly timeoutMs: number

  constructor(jobId: number, timeoutMs: number) {
    super(`The handler of job ${jobId} had not ended after ${timeoutMs} ms`)
    this.jobId = jobId
    this.timeoutMs = timeoutMs
  }
}

/**
 * The job is no longer this handler's: its lease ended, or it was ended otherwise. What the handler wanted to write
 * was refused. The reason of its signal.
 */
export class LeaseLostError extends SqliteWorkerError {
  override readonly name = 'LeaseLostError'
  override readonly code = 'ERR_LEASE_LOST'
  readonly jobId: number

  constructor(jobId: number) {
    super(`Job ${jobId} is no longer this handler's; what it wrote to the queue was refused`)
    this.jobId = jobId
  }
}

/** The queue was closed: the call came after `close()`, or `close()` came while it waited. Also the reason of a signal. */
export class QueueClosedError extends SqliteWorkerError {
  override readonly name = 'QueueClosedError'
  override readonly code = 'ERR_QUEUE_CLOSED'

  constructor() {
    super('This queue is closed')
  }
}

/** The tables in the file were made by a newer version of this package. Nothing was changed. */
export class QueueVersionError extends SqliteWorkerError {
  override readonly name = 'QueueVersionError'
  override readonly code = 'ERR_QUEUE_VERSION'
  readonly found: number
  readonly supported: number

  constructor(found: number, supported: number) {
    super(`The queue tables of this file have version ${found}; this package knows up to ${supported}`)
    this.found = found
    this.supported = supported
  }
}

/** `waitFor` or `drain` did not see the end within `timeoutMs`. */
export class WaitTimeoutError extends SqliteWorkerError {
  override readonly name = 'WaitTimeoutError'
  override readonly code = 'ERR_WAIT_TIMEOUT'
  readonly timeoutMs: number

  constructor(what: string, timeoutMs: number) {
    super(`${what} had not happened after ${timeoutMs} ms`)
    this.timeoutMs = timeoutMs
  }
}

function keyOf(part: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof part === 'object' ? part.key : part)
}
