import { JobDeadError, JobNotFoundError, QueueClosedError, WaitTimeoutError } from './errors.ts'
import { fromJson, toError } from './job.ts'
import type { WaitOptions } from './options.ts'
import { State } from './state.ts'
import type { Store } from './store.ts'

const POLL_MS = 250
const STATES = `SELECT j.id AS id, state, result, error FROM json_each(?) AS wanted, outrider_queue_jobs AS j
  WHERE j.id = wanted.value AND queue = ?`

interface Waiter {
  readonly id: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Those who wait for the end of jobs, looked after with one statement for all: when this process ends one, and by the clock. */
export class Waiters {
  readonly #store: Store
  readonly #waiters = new Set<Waiter>()
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #again = false

  constructor(store: Store) {
    this.#store = store
  }

  async wait(id: number, { timeoutMs = Infinity, signal }: WaitOptions): Promise<unknown> {
    signal?.throwIfAborted()
    const end = withResolvers()
    const waiter: Waiter = { id, ...end }
    const onAbort = () => end.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    const timer =
      timeoutMs === Infinity
        ? undefined
        : setTimeout(() => end.reject(new WaitTimeoutError(`The end of job ${id}`, timeoutMs)), timeoutMs)
    this.#waiters.add(waiter)
    this.#look()
    try {
      return await end.promise
    } finally {
      this.#waiters.delete(waiter)
      signal?.removeEventListener('abort', onAbort)
      clearTimeout(timer)
      if (this.#waiters.size === 0) clearTimeout(this.#timer)
    }
  }

  /** Says that jobs ended. */
  ended(ids: readonly number[]): void {
    if (this.#waiters.size === 0) return
    for (const { id } of this.#waiters) {
      if (ids.includes(id)) {
        this.#look()
        return
      }
    }
  }

  close(): void {
    for (const { reject } of this.#waiters) reject(new QueueClosedError())
  }

  #look(): void {
    if (this.#isLooking) this.#again = true
    else void this.#lookNow()
  }

  async #lookNow(): Promise<void> {
    this.#isLooking = true
    clearTimeout(this.#timer)
    do {
      this.#again = false
      const asked = [...this.#waiters]
      try {
        await this.#settle(asked)
      } catch (error) {
        for (const { reject } of asked) reject(error)
      }
    } while (this.#again)
    this.#isLooking = false
    if (this.#waiters.size > 0) this.#timer = setTimeout(() => this.#look(), POLL_MS)
  }

  async #settle(asked: readonly Waiter[]): Promise<void> {
    const ids = JSON.stringify([...new Set(asked.map(({ id }) => id))])
    const rows = await this.#store.read<{
      id: number
      state: number
      result: string | null
      error: string | null
    }>(STATES, [ids, this.#store.id])
    const byId = new Map(rows.map((row) => [row.id, row]))
    for (const { id, resolve, reject } of asked) {
      const row = byId.get(id)
      if (!row) reject(new JobNotFoundError(id))
      else if (row.state === State.completed) resolve(fromJson(row.result))
      else if (row.state === State.dead) reject(new JobDeadError(id, toError(row.error)))
    }
  }
}

function withResolvers(): {
  promise: Promise<unknown>
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
} {
  let resolve: (value: unknown) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<unknown>((...settle) => ([resolve, reject] = settle))
  return { promise, resolve, reject }
}
