import { UsageError } from '../errors.ts'
import type { SqliteWorker } from '../sqlite-worker.ts'
import { isName } from './checks.ts'
import { isWorker } from './connections.ts'
import { Consumer, type ConsumerCloseOptions } from './consumer.ts'
import { DeadLetters } from './dead-letters.ts'
import { insertUnlessThere } from './dedupe.ts'
import { drain } from './drain.ts'
import { QueueClosedError } from './errors.ts'
import { toJsonText } from './json.ts'
import { hubOf, type Hub } from './hub.ts'
import { insertAll, Inserter, type NewJob } from './inserter.ts'
import { countJobs, findJob, isPaused, removeJob, setPaused } from './jobs.ts'
import type { Job, JobCounts } from './job.ts'
import {
  checkAddOptions,
  checkDrainOptions,
  checkWaitOptions,
  resolveQueueOptions,
  type AddOptions,
  type DrainOptions,
  type QueueOptions,
  type WaitOptions,
} from './options.ts'
import { Payloads } from './payloads.ts'
import { resolveScheduleOptions, type Schedule, type ScheduleOptions } from './schedule-options.ts'
import { listSchedules, putSchedule, removeSchedule } from './schedules.ts'
import { State } from './state.ts'
import { Store } from './store.ts'
import type { PayloadTypes, SchemaTypes, TaskSchemas, TaskTypes } from './tasks.ts'
import { Waiters } from './waiters.ts'
import { checkHandlers, resolveWorkOptions, type Handlers, type WorkOptions } from './work-options.ts'

/** What `add` resolves to. */
export interface AddedJob {
  readonly id: number
  /** Whether there was an unfinished job of the same `dedupeKey`, whose id this is, so that none was added. */
  readonly deduplicated: boolean
}

/**
 * Opens a queue in the file of a worker, and makes its tables where there are none. Returns at once; a file that cannot
 * be used makes every call reject.
 *
 * Payload types come from the schemas in `tasks`, or, unchecked, from a type argument.
 * @throws {InvalidOptionError} when an option is unknown or does not fit. @throws {UsageError} inside a transaction.
 * @example
 * const queue = createQueue<{ greet: { name: string } }>(worker)
 * queue.work({ greet: async ({ name }) => `Hello ${name}` })
 * const { id } = await queue.add('greet', { name: 'Ada' })
 * await queue.waitFor(id) // 'Hello Ada'
 */
export function createQueue<const S extends TaskSchemas>(
  worker: SqliteWorker,
  options: QueueOptions<S> & { tasks: S },
): Queue<SchemaTypes<S>>
export function createQueue<P extends object = Record<string, unknown>>(
  worker: SqliteWorker,
  options?: QueueOptions,
): Queue<PayloadTypes<P>>
export function createQueue(worker: SqliteWorker, options: QueueOptions = {}): Queue<TaskTypes> {
  return new Queue(worker, options)
}

type TaskName<T extends TaskTypes> = keyof T & string

/** A queue of one name in one file. Made by {@link createQueue}. All calls reject with {@link QueueClosedError} after `close`. */
export class Queue<T extends TaskTypes> implements AsyncDisposable {
  /** The jobs that failed for good. */
  readonly dead: DeadLetters
  readonly #store: Store
  readonly #hub: Hub
  readonly #payloads: Payloads
  readonly #inserter: Inserter
  readonly #waiters: Waiters
  readonly #consumers = new Set<Consumer>()
  readonly #leaveHub: () => void
  #isClosed = false

  /** For this package only: call {@link createQueue}. */
  constructor(worker: SqliteWorker, options: QueueOptions) {
    if (!isWorker(worker)) {
      throw new UsageError('ERR_INVALID_ARGUMENT', `Expected a SqliteWorker, got ${typeof worker}`)
    }
    const resolved = resolveQueueOptions(options)
    this.#store = new Store(worker, resolved)
    this.#hub = hubOf(worker, resolved.name)
    this.#payloads = new Payloads(resolved.tasks)
    this.#inserter = new Inserter(this.#store, (jobs) => this.#announce(jobs))
    this.#waiters = new Waiters(this.#store)
    this.#leaveHub = this.#hub.join({ ended: (ids) => this.#waiters.ended(ids) })
    this.dead = new DeadLetters(this.#store, this.#hub)
  }

  /**
   * Adds a job. Resolves once it is committed; with `tx`, once it is part of that transaction. Inside the callback of
   * `worker.transaction()` it belongs to that transaction also without `tx`, as every call on the worker does.
   *
   * Rejects with {@link PayloadError} when the payload does not fit the task's schema, {@link UsageError} for an unknown
   * task or a payload that JSON cannot hold, {@link InvalidOptionError} for options that do not fit.
   */
  async add<K extends TaskName<T>>(
    task: K,
    payload: T[K]['input'],
    options: AddOptions = {},
  ): Promise<AddedJob> {
    checkAddOptions(options)
    // nothing is awaited that need not be: what is added is then sent before what the caller does next
    if (!this.#isUsable) await this.#usable()
    const checked = this.#payloads.text(task, payload)
    const text = checked instanceof Promise ? await checked : checked
    const addedAt = this.#store.now()
    const job = this.#newJob(task, text, options, addedAt)
    const { tx, dedupeKey, dedupeForMs = 0 } = options
    let added: AddedJob
    if (dedupeKey !== undefined) {
      const keyed = { job, key: dedupeKey, keepMs: dedupeForMs, addedAt }
      added = await insertUnlessThere(tx ?? this.#store.worker, this.#store.id, keyed)
    } else if (tx || this.#store.worker.isInTransaction) {
      const id = await insertAll(tx ?? this.#store.worker, this.#store.id, [job], addedAt)
      added = { id, deduplicated: false }
    } else {
      return { id: await this.#inserter.insert(job, addedAt), deduplicated: false }
    }
    this.#announce([job])
    return added
  }

  /**
   * Adds a job for each payload with one statement, all or nothing. Resolves to their ids in order.
   * Rejects as {@link add} does. Options hold for all of them; there is no `dedupeKey`.
   */
  async addMany<K extends TaskName<T>>(
    task: K,
    payloads: readonly T[K]['input'][],
    options: Omit<AddOptions, 'dedupeKey' | 'dedupeForMs'> = {},
  ): Promise<number[]> {
    checkAddOptions(options)
    if ('dedupeKey' in options || !Array.isArray(payloads)) {
      throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected a list of payloads and no dedupeKey')
    }
    if (!this.#isUsable) await this.#usable()
    const texts = this.#payloads.isChecked(task)
      ? await Promise.all(payloads.map(async (payload) => this.#payloads.text(task, payload)))
      : payloads.map((payload) => toJsonText(payload, 'the payload'))
    const addedAt = this.#store.now()
    const jobs = texts.map((text) => this.#newJob(task, text, options, addedAt))
    const [first] = jobs
    if (!first) return []
    const connection = options.tx ?? this.#store.worker
    const firstId = await insertAll(connection, this.#store.id, jobs, addedAt)
    this.#announce([first])
    return jobs.map((_, i) => firstId + i)
  }

  /**
   * Starts a consumer, which takes jobs of the tasks that have a handler here and runs them until it is closed.
   * @throws {InvalidOptionError} for options that do not fit. @throws {UsageError} for handlers that do not. @throws {QueueClosedError}
   */
  work(handlers: Handlers<T>, options: WorkOptions = {}): Consumer {
    const resolved = resolveWorkOptions(options)
    const byTask = checkHandlers(handlers, (task) => this.#payloads.isKnown(task))
    if (this.#isClosed) throw new QueueClosedError()
    const consumer = new Consumer({
      store: this.#store,
      hub: this.#hub,
      payloads: this.#payloads,
      handlers: byTask,
      options: resolved,
    })
    this.#consumers.add(consumer)
    return consumer
  }

  /** A job as it stands, or undefined when there is none of this id. */
  async get(id: number): Promise<Job | undefined> {
    await this.#usable()
    return findJob(this.#store, id)
  }

  /** How many jobs are in each state. Takes longer the more there are. */
  async counts(): Promise<JobCounts> {
    await this.#usable()
    return countJobs(this.#store)
  }

  /** Removes a job, unless it is running. Resolves to whether it did. */
  async remove(id: number): Promise<boolean> {
    await this.#usable()
    return removeJob(this.#store, id)
  }

  /**
   * Waits for a job to end, in whichever process. Resolves to its result.
   * Rejects with {@link JobDeadError} when it ends dead, {@link JobNotFoundError}, {@link WaitTimeoutError}, and the
   * reason of `signal`. Results are kept for as long as `retention` says.
   */
  async waitFor(id: number, options: WaitOptions = {}): Promise<unknown> {
    checkWaitOptions(options)
    await this.#usable()
    return this.#waiters.wait(id, options)
  }

  /**
   * Makes a job for each time (slot) that a cron pattern of 5 to 7 parts names, exactly one per slot however many
   * processes do this. A schedule of the same name is replaced; with pattern and time zone unchanged, it misses no slot.
   * Jobs are made while a consumer of the queue runs; `catchUp` says what becomes of the slots between.
   * Rejects as {@link add} does, and with {@link UsageError} for a pattern that is none.
   */
  async schedule<K extends TaskName<T>>(
    ...[name, cron, task, payload, options = {}]: [
      name: string,
      cron: string,
      task: K,
      payload: T[K]['input'],
      options?: ScheduleOptions,
    ]
  ): Promise<void> {
    const resolved = resolveScheduleOptions(options)
    if (!isName(name) || !isName(cron)) {
      throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected a name and a cron pattern, both non-empty')
    }
    const text = await this.#payloads.text(task, payload)
    await this.#usable()
    const nextAt = await putSchedule(this.#store, { name, cron, task, payload: text, options: resolved })
    if (nextAt !== null) this.#hub.due(nextAt)
  }

  /** Ends a schedule; jobs that it made stay. Resolves to whether there was one. */
  async unschedule(name: string): Promise<boolean> {
    await this.#usable()
    return removeSchedule(this.#store, name)
  }

  /** All schedules, by name. */
  async schedules(): Promise<Schedule[]> {
    await this.#usable()
    return listSchedules(this.#store)
  }

  /** Lets no consumer of any process take jobs of this queue, also after a restart, until {@link resume}. */
  async pause(): Promise<void> {
    await this.#usable()
    await setPaused(this.#store, true)
  }

  async resume(): Promise<void> {
    await this.#usable()
    await setPaused(this.#store, false)
    this.#hub.added()
  }

  async isPaused(): Promise<boolean> {
    await this.#usable()
    return isPaused(this.#store)
  }

  /**
   * Waits until no job of the queue is pending or running, in whichever process.
   * Rejects with {@link WaitTimeoutError}, and the reason of `signal`.
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    checkDrainOptions(options)
    await this.#usable()
    return drain(this.#store, this.#hub, options)
  }

  /**
   * Closes the consumers of this object as `consumer.close` does; those who wait reject with {@link QueueClosedError}.
   * Does not close the worker. Closing twice is one closing.
   */
  async close(options: ConsumerCloseOptions = {}): Promise<void> {
    const closing = [...this.#consumers].map((consumer) => consumer.close(options))
    this.#isClosed = true
    this.#leaveHub()
    this.#waiters.close()
    await Promise.all(closing)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #isUsable(): boolean {
    return !this.#isClosed && this.#store.isReady
  }

  async #usable(): Promise<void> {
    if (this.#isClosed) throw new QueueClosedError()
    if (!this.#store.isReady) await this.#store.ready
  }

  #newJob(task: string, payload: string | null, options: AddOptions, addedAt: number): NewJob {
    const {
      priority = 0,
      maxAttempts = this.#store.options.maxAttempts,
      group = null,
      delayMs,
      runAt,
    } = options
    const at = runAt === undefined ? addedAt + Math.ceil(delayMs ?? 0) : Math.ceil(Number(runAt))
    const isDelayed = at > addedAt
    const waitMs = isDelayed && delayMs !== undefined ? Math.ceil(delayMs) : null
    return [
      ...([task, payload, priority, maxAttempts] as const),
      ...([isDelayed ? State.delayed : State.ready, isDelayed ? at : null, waitMs, group] as const),
    ]
  }

  /** Wakes the consumers of this process. What they then send comes after the insertion, or after its transaction. */
  #announce(jobs: readonly NewJob[]): void {
    let due = Infinity
    let isReady = false
    for (const [, , , , state, at] of jobs) {
      if (state === State.ready) isReady = true
      else due = Math.min(due, at ?? Infinity)
    }
    if (isReady) this.#hub.added()
    if (due !== Infinity) this.#hub.due(due)
  }
}
