/**
 * A task queue in a SQLite file, over a {@link SqliteWorker}. Several processes may share the file.
 *
 *     const queue = createQueue(worker, { name?, tasks?: { sendEmail: schema }, maxAttempts?, retention?, now?, onError? })
 *     const { id, deduplicated } = await queue.add('sendEmail', payload, { priority, delayMs, runAt, dedupeKey,
 *                                                  dedupeForMs, group, maxAttempts, tx })
 *     const added = await queue.addMany('sendEmail', payloads, options)        // one statement, all or nothing
 *     const consumer = queue.work({ sendEmail: async (payload, ctx) => ... }, { concurrency, queueConcurrency,
 *                                 groupConcurrency, rateLimit, timeoutMs, leaseMs, pollIntervalMs, backoff, ... })
 *     ctx: id, task, attempt, maxAttempts, group, scheduledFor, signal, progress(value),
 *          transaction(fn)  a transaction that is committed only while the job is still this handler's
 *          complete(fn)     the same, and it completes the job: the effects in fn happen exactly once
 *     await queue.waitFor(id, { timeoutMs, signal })      // the result
 *     await queue.schedule('nightly', '0 3 * * *', 'report', payload, { timeZone, catchUp })
 *     queue.get(id) · counts() · remove(id) · unschedule(name) · schedules()
 *     queue.pause() · resume() · isPaused() · drain() · close() · dead.list() · dead.requeue(ids?) · dead.remove(ids)
 *     await consumer.close({ timeoutMs, abortMs })
 *
 * Words: a *job* is one call of a *task*; a *consumer* runs jobs with *handlers*; it holds them by a *lease* that it
 * renews; every claim of a job has a number, its *fence*, which each later write must show.
 */
export type { Backoff, BackoffOptions } from './backoff.ts'
export { Consumer, type ConsumerCloseOptions } from './consumer.ts'
export { DeadLetters, type DeadListOptions } from './dead-letters.ts'
export {
  JobDeadError,
  JobNotFoundError,
  JobTimeoutError,
  LeaseLostError,
  PayloadError,
  QueueClosedError,
  QueueVersionError,
  WaitTimeoutError,
} from './errors.ts'
export type { JobFailure } from './failures.ts'
export type { Job, JobCounts, JobError, JobState } from './job.ts'
export type { JobContext } from './job-context.ts'
export type {
  AddOptions,
  DrainOptions,
  QueueOptions,
  Retention,
  RetentionLimit,
  WaitOptions,
} from './options.ts'
export { createQueue, Queue, type AddedJob } from './queue.ts'
export type { CatchUp, Schedule, ScheduleOptions } from './schedule-options.ts'
export type { StandardIssue, StandardResult, StandardSchema } from './standard-schema.ts'
export type { PayloadTypes, TaskSchemas, TaskTypes, SchemaTypes } from './tasks.ts'
export type { Handlers, RateLimit, WorkOptions } from './work-options.ts'
