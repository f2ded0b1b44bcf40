import type { ClaimedJob } from './claims.ts'
import { JobTimeoutError, LeaseLostError, QueueClosedError } from './errors.ts'
import { failureText } from './failures.ts'
import { completeAll, type FinishedJob } from './finished.ts'
import type { Hub } from './hub.ts'
import { toJsonText } from './json.ts'
import type { Outbox } from './outbox.ts'
import type { Payloads } from './payloads.ts'
import { RunningJob } from './running-job.ts'
import { State } from './state.ts'
import type { Store } from './store.ts'
import type { AnyHandler, ResolvedWorkOptions } from './work-options.ts'

const FAIL = `UPDATE outrider_queue_jobs SET state = ?, at = ?, delay_ms = ?, error = ?,
    dedupe_key = iif(? OR dedupe_until > ?, dedupe_key, NULL)
  WHERE id = ? AND fence = ? AND state = 1`
const RELEASE = `UPDATE outrider_queue_jobs SET state = value ->> 2, attempts = attempts - 1 FROM json_each(?)
  WHERE outrider_queue_jobs.id = value ->> 0 AND fence = value ->> 1 AND state = 1`

/** For how long jobs are claimed ahead, so that fast handlers need not wait for the next claim; and how many at most. */
const AHEAD_MS = 2
const MAX_AHEAD = 200
/** How long they may wait before they are given back, because handlers are slower than they were. */
const MAX_WAIT_MS = 100
const SLOW_MS = 100_000

export interface RunnerParts {
  readonly store: Store
  readonly hub: Hub
  readonly outbox: Outbox
  readonly payloads: Payloads
  readonly handlers: ReadonlyMap<string, AnyHandler>
  readonly options: ResolvedWorkOptions
  /** Whether jobs may be claimed before there is room to run them. */
  readonly mayClaimAhead: boolean
  /** Called after jobs ended, when there is room for others. */
  readonly onRoom: (suspectEnded: boolean) => void
}

/** Runs handlers, and writes down what became of their jobs: many with one statement, once per tick. */
export class Runner {
  readonly #parts: RunnerParts
  readonly #running = new Set<RunningJob>()
  #waiting: ClaimedJob[] = []
  #finished: FinishedJob[] = []
  #isFlushing = false
  #suspectEnded = false
  #isClosing = false
  /** About how long a handler takes; long, until some were seen. */
  #meanMs = SLOW_MS
  #waitTimer: NodeJS.Timeout | undefined
  #lastStartMs = 0
  #whenIdle: (() => void) | undefined

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  /** How many more jobs may be claimed. */
  get room(): number {
    const { concurrency } = this.#parts.options
    const free = concurrency - this.#running.size - this.#waiting.length
    const ahead = this.#ahead
    // few large claims cost less than many small ones
    return free > 0 || this.#waiting.length * 2 <= ahead ? free + ahead : 0
  }

  /** Whether a job that may kill the process is here. */
  get hasSuspect(): boolean {
    return this.#waiting.some(isSuspect) || [...this.#running].some(isSuspect)
  }

  get #ahead(): number {
    if (!this.#parts.mayClaimAhead) return 0
    return Math.min(MAX_AHEAD, Math.floor((this.#parts.options.concurrency * AHEAD_MS) / this.#meanMs))
  }

  /** Runs claimed jobs, in their order, as soon as there is room. */
  take(jobs: readonly ClaimedJob[]): void {
    if (this.#isClosing) {
      this.#releaseAll(jobs)
      return
    }
    this.#waiting.push(...jobs)
    this.#startWaiting()
  }

  /** Drops all jobs: they are not this consumer's any more. */
  lose(): void {
    this.#waiting = []
    clearTimeout(this.#waitTimer)
    this.#waitTimer = undefined
    for (const job of this.#running) {
      this.#end(job)
      job.abort(new LeaseLostError(job.id))
    }
  }

  /** Ends without a word to the database, which cannot be reached. */
  abandon(): void {
    this.#isClosing = true
    this.#waiting = []
    clearTimeout(this.#waitTimer)
    for (const job of this.#running) {
      this.#end(job)
      job.abort(new QueueClosedError())
    }
  }

  /** Waits for handlers, then aborts their signals, then gives their jobs back. Jobs not begun are given back at once. */
  async close(timeoutMs: number, abortMs: number): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#waitTimer)
    const waiting = this.#waiting
    this.#waiting = []
    this.take(waiting)
    if (await this.#isIdleWithin(timeoutMs)) return
    for (const job of this.#running) job.abort(new QueueClosedError())
    if (await this.#isIdleWithin(abortMs)) return
    for (const job of this.#running) this.#giveBack(job)
  }

  async #isIdleWithin(ms: number): Promise<boolean> {
    if (this.#running.size === 0) return true
    let timer: NodeJS.Timeout | undefined
    const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve))
    const timeout = new Promise<void>((resolve) => {
      if (ms !== Infinity) timer = setTimeout(resolve, ms)
    })
    await Promise.race([idle, timeout])
    clearTimeout(timer)
    return this.#running.size === 0
  }

  #startWaiting(): void {
    const { concurrency } = this.#parts.options
    let started = 0
    while (started < this.#waiting.length && this.#running.size < concurrency) {
      this.#start(this.#waiting[started++] as ClaimedJob)
    }
    if (started > 0) {
      this.#waiting = this.#waiting.slice(started)
      this.#lastStartMs = performance.now()
    }
    if (this.#waiting.length > 0) {
      this.#waitTimer ??= setTimeout(() => this.#giveBackWaiting(), MAX_WAIT_MS)
    }
  }

  #giveBackWaiting(): void {
    this.#waitTimer = undefined
    if (this.#waiting.length === 0) return
    if (performance.now() - this.#lastStartMs < MAX_WAIT_MS) {
      this.#startWaiting() // and looks again later
      return
    }
    this.#meanMs = SLOW_MS
    const waiting = this.#waiting
    this.#waiting = []
    this.#releaseAll(waiting)
  }

  #releaseAll(jobs: readonly ClaimedJob[]): void {
    this.#release(
      jobs.map(({ id, fence, isSuspect }) => [id, fence, isSuspect ? State.suspect : State.ready]),
    )
  }

  #start(claimed: ClaimedJob): void {
    const { store, payloads } = this.#parts
    const job = new RunningJob(store, claimed)
    this.#running.add(job)
    let payload: unknown
    try {
      payload = payloads.stored(claimed.task, claimed.payload)
    } catch (error) {
      this.#fail(job, error, true)
      return
    }
    if (payload instanceof Promise) {
      payload.then(
        (late) => this.#call(job, late),
        (error: unknown) => this.#fail(job, error, true),
      )
    } else {
      this.#call(job, payload)
    }
  }

  #call(job: RunningJob, payload: unknown): void {
    const { handlers, options } = this.#parts
    const handler = handlers.get(job.task)
    if (job.isOver || !handler) return
    const { timeoutMs } = options
    if (timeoutMs !== Infinity) {
      job.timer = setTimeout(() => {
        const error = new JobTimeoutError(job.id, timeoutMs)
        this.#fail(job, error)
        job.abort(error)
      }, timeoutMs)
    }
    job.startedAt = performance.now()
    let result: unknown
    try {
      result = handler(payload, job)
    } catch (error) {
      this.#fail(job, error)
      return
    }
    if (!isThenable(result)) this.#succeed(job, result)
    else {
      result.then(
        (value) => this.#succeed(job, value),
        (error) => this.#fail(job, error),
      )
    }
  }

  #succeed(job: RunningJob, result: unknown): void {
    if (job.isOver) return
    if (job.isCompleted) {
      this.#end(job)
      this.#parts.hub.ended([job.id])
      return
    }
    let text: string | null
    try {
      text = toJsonText(result, 'the result of a handler')
    } catch (error) {
      this.#fail(job, error, true)
      return
    }
    this.#finished.push([job.id, job.fence, text])
    this.#end(job)
  }

  #fail(job: RunningJob, error: unknown, isFinal = false): void {
    if (job.isOver) return
    const { store, hub, options, outbox } = this.#parts
    if (job.isCompleted) {
      this.#end(job)
      hub.ended([job.id])
      store.options.onError(error) // its effects are committed; what came after them failed
      return
    }
    if (this.#isClosing && job.signal.aborted) {
      this.#giveBack(job)
      return
    }
    this.#end(job)
    const dead = isFinal || job.attempt >= job.maxAttempts || !this.#mayRetry(error, job.attempt)
    const delayMs = dead ? 0 : this.#delayMs(error, job.attempt)
    const now = store.now()
    const at = now + delayMs
    const state = dead ? State.dead : delayMs > 0 ? State.delayed : State.ready
    const text = failureText(error)
    outbox.send(async () => {
      const params = [state, at, delayMs, text, dead ? 0 : 1, now, job.id, job.fence]
      const { changes } = await store.write(FAIL, params)
      if (changes === 0) return store.options.onError(new LeaseLostError(job.id))
      if (dead) hub.ended([job.id])
      else if (delayMs > 0) hub.due(at)
      else hub.added()
      options.onJobFailed({ jobId: job.id, task: job.task, attempt: job.attempt, error, dead })
    })
  }

  #mayRetry(error: unknown, attempt: number): boolean {
    try {
      return this.#parts.options.shouldRetry(error, attempt)
    } catch (thrown) {
      this.#parts.store.options.onError(thrown)
      return true
    }
  }

  #delayMs(error: unknown, attempt: number): number {
    try {
      const delayMs = Math.ceil(this.#parts.options.backoff(attempt, error))
      if (delayMs >= 0 && Number.isSafeInteger(delayMs)) return delayMs
      throw new RangeError(`Expected backoff to return a number of milliseconds, 0 or more, got ${delayMs}`)
    } catch (thrown) {
      this.#parts.store.options.onError(thrown)
      return 1000
    }
  }

  /** Ends this consumer's part in a job that goes back to the queue, its attempt not counted. */
  #giveBack(job: RunningJob): void {
    this.#end(job)
    this.#release([[job.id, job.fence, job.isSuspect ? State.suspect : State.ready]])
  }

  #release(jobs: readonly (readonly [id: number, fence: number, state: number])[]): void {
    const { store, hub, outbox } = this.#parts
    if (jobs.length === 0) return
    outbox.send(async () => {
      await store.write(RELEASE, [JSON.stringify(jobs)])
      hub.added()
    })
  }

  #end(job: RunningJob): void {
    job.isOver = true
    clearTimeout(job.timer)
    this.#running.delete(job)
    if (job.isSuspect) this.#suspectEnded = true
    if (job.startedAt > 0) this.#noteDuration(performance.now() - job.startedAt)
    if (!this.#isFlushing) {
      this.#isFlushing = true
      process.nextTick(() => this.#flush())
    }
    if (this.#running.size === 0) this.#whenIdle?.()
  }

  #noteDuration(ms: number): void {
    this.#meanMs = this.#meanMs === SLOW_MS ? ms : this.#meanMs + (ms - this.#meanMs) / 16
  }

  #flush(): void {
    this.#isFlushing = false
    const { store, hub, outbox, onRoom } = this.#parts
    const jobs = this.#finished
    this.#finished = []
    if (jobs.length > 0) {
      outbox.send(async () => {
        const refused = await completeAll(store, jobs)
        for (const id of refused) store.options.onError(new LeaseLostError(id))
        hub.ended(jobs.map(([id]) => id))
      })
    }
    if (this.#isClosing) return
    this.#startWaiting()
    const suspectEnded = this.#suspectEnded
    this.#suspectEnded = false
    onRoom(suspectEnded)
  }
}

function isSuspect(job: { readonly isSuspect: boolean }): boolean {
  return job.isSuspect
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
