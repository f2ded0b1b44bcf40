import { AsyncResource } from 'node:async_hooks'
import { checkOptions, type OptionChecks } from '../check-options.ts'
import { nextTurn } from '../event-loop.ts'
import { isTimerMsOrInfinity } from './checks.ts'
import { Claims } from './claims.ts'
import { unparkAll, unparkIdle } from './digest.ts'
import type { Hub } from './hub.ts'
import { Lease } from './lease.ts'
import { Lookout } from './lookout.ts'
import { Outbox } from './outbox.ts'
import type { Payloads } from './payloads.ts'
import { removeExpired } from './retention.ts'
import { Runner } from './runner.ts'
import type { Store } from './store.ts'
import { groupStatements } from './tables.ts'
import type { AnyHandler, ResolvedWorkOptions } from './work-options.ts'

export interface ConsumerCloseOptions {
  /** How long running handlers may go on before their signals are aborted, in milliseconds. @default 30000 */
  timeoutMs?: number
  /** How long they may take after that before their jobs are given back regardless, in milliseconds. @default 5000 */
  abortMs?: number
}

const closeChecks: OptionChecks<ConsumerCloseOptions> = {
  timeoutMs: { expected: 'a number from 0 to 2147483647, or Infinity', accepts: isTimerMsFromZero },
  abortMs: { expected: 'a number from 0 to 2147483647, or Infinity', accepts: isTimerMsFromZero },
}

export interface ConsumerParts {
  readonly store: Store
  readonly hub: Hub
  readonly payloads: Payloads
  readonly handlers: ReadonlyMap<string, AnyHandler>
  readonly options: ResolvedWorkOptions
}

const RETENTION_INTERVAL_MS = 1000

/** Takes jobs and runs their handlers until it is closed. Made by `queue.work()`. It keeps the process alive. */
export class Consumer implements AsyncDisposable {
  readonly #store: Store
  readonly #hub: Hub
  readonly #options: ResolvedWorkOptions
  readonly #claims: Claims
  readonly #lease: Lease
  readonly #outbox: Outbox
  readonly #runner: Runner
  readonly #lookout: Lookout
  /** Runs a function in a context of its own, whoever woke the consumer: in no transaction, and no request of the user. */
  readonly #apart: (work: () => void) => void
  readonly #leaveHub: () => void
  #state: 'starting' | 'open' | 'closing' | 'closed' = 'starting'
  #closing: Promise<void> | undefined
  #isClaiming = false
  #isClaimingSuspect = false
  /** Whether jobs may have come since the last claim was sent. */
  #hasNews = false
  /** Whether the last claim took all it could, so that there may be more. */
  #mayHaveMore = false
  #startTimer: NodeJS.Timeout | undefined
  #beatTimer: NodeJS.Timeout | undefined
  #isBeating = false
  #isLost = false
  #isRetaining = false
  #retainedMs = -Infinity

  constructor({ store, hub, payloads, handlers, options }: ConsumerParts) {
    this.#store = store
    this.#hub = hub
    this.#options = options
    this.#claims = new Claims(store, options, [...handlers.keys()])
    this.#lease = new Lease(store, options.leaseMs)
    this.#outbox = new Outbox(options.pollIntervalMs, {
      failed: async (error) => !(await this.#isEndedBy(error)),
    })
    this.#runner = new Runner({
      store,
      hub,
      payloads,
      handlers,
      options,
      outbox: this.#outbox,
      mayClaimAhead: !this.#claims.isLimited,
      onRoom: (suspectEnded) => this.#onRoom(suspectEnded),
    })
    this.#lookout = new Lookout(store, options, {
      ready: () => this.#wake(),
      suspect: () => this.#claimSuspect(),
      failed: (error) => this.#report(error),
    })
    this.#apart = store.worker.outside(() => AsyncResource.bind((work: () => void) => work()))
    this.#leaveHub = hub.join({
      added: () => this.#apart(() => this.#wake()),
      due: (at) => this.#apart(() => this.#lookout.expect(at)),
    })
    this.#apart(() => void this.#start())
  }

  /**
   * Takes no more jobs, waits for running handlers, and gives back what they do not finish: such an attempt does not
   * count. Closing twice is one closing.
   */
  async close(options: ConsumerCloseOptions = {}): Promise<void> {
    checkOptions(options, closeChecks)
    this.#closing ??= this.#close(options)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #start(): Promise<void> {
    try {
      await this.#store.ready
      await this.#lease.acquire()
      if (this.#options.groupConcurrency !== Infinity) {
        await this.#store.transaction((tx) => {
          for (const sql of groupStatements) void tx.execute(sql)
        })
        await unparkAll(this.#store, this.#options.groupConcurrency)
      }
    } catch (error) {
      this.#report(error)
      if (this.#state === 'starting') {
        this.#startTimer = setTimeout(() => void this.#start(), this.#options.pollIntervalMs)
      }
      return
    }
    if (this.#state !== 'starting') {
      await this.#lease.release().catch((error: unknown) => this.#report(error))
      return
    }
    this.#state = 'open'
    this.#beatTimer = setInterval(() => void this.#beat(), this.#lease.beatIntervalMs)
    this.#claim()
    void this.#beat()
    this.#lookout.start()
  }

  #wake(): void {
    this.#hasNews = true
    this.#claim()
  }

  #onRoom(suspectEnded: boolean): void {
    if (this.#hasNews || this.#mayHaveMore || this.#claims.isLimited) this.#claim()
    if (suspectEnded) this.#claimSuspect()
  }

  #claim(): void {
    if (this.#state !== 'open' || this.#isClaiming || this.#isLost) return
    const { room } = this.#runner
    if (room > 0) void this.#claimNow(room)
  }

  async #claimNow(room: number): Promise<void> {
    this.#isClaiming = true
    this.#hasNews = false
    try {
      const { jobs, mayHaveMore } = await this.#claims.claimReady(this.#lease.id, room)
      this.#mayHaveMore = mayHaveMore
      this.#isClaiming = false
      this.#runner.take(jobs)
      if (this.#hasNews || mayHaveMore) this.#claim()
    } catch (error) {
      this.#isClaiming = false
      this.#mayHaveMore = true
      this.#claimFailed(error)
    }
  }

  /** Suspects run one at a time, whatever the concurrency: if one kills the process, no other suspect is blamed. */
  #claimSuspect(): void {
    if (this.#state !== 'open' || this.#isClaimingSuspect || this.#isLost) return
    if (!this.#runner.hasSuspect && this.#runner.room > 0) void this.#claimSuspectNow()
  }

  async #claimSuspectNow(): Promise<void> {
    this.#isClaimingSuspect = true
    try {
      this.#runner.take(await this.#claims.claimSuspect(this.#lease.id))
    } catch (error) {
      this.#claimFailed(error)
    }
    this.#isClaimingSuspect = false
  }

  async #beat(): Promise<void> {
    if (this.#isBeating) {
      if (this.#lease.isOverdue) this.#lose()
      return
    }
    this.#isBeating = true
    try {
      const isHeld = await this.#lease.beat()
      if (!isHeld) this.#lose()
      if (this.#isLost && this.#state === 'open') await this.#renew()
      const { dead, again } = await this.#lease.sweep()
      if (dead.length > 0) this.#hub.ended(dead)
      if (again.length > 0) this.#claimSuspect()
      if (this.#options.groupConcurrency !== Infinity) {
        await unparkIdle(this.#store)
      }
      void this.#retain()
    } catch (error) {
      this.#report(error)
    }
    this.#isBeating = false
  }

  /** Jobs that were claimed, but did not arrive, would be this consumer's for ever: it gives all up, and begins anew. */
  #claimFailed(error: unknown): void {
    this.#report(error)
    if (error instanceof Error && 'maybeCommitted' in error) {
      this.#lose()
      void this.#beat()
    }
  }

  /** Stops all handlers: others may have their jobs. */
  #lose(): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#runner.lose()
  }

  async #renew(): Promise<void> {
    await this.#lease.release()
    await this.#lease.acquire()
    this.#isLost = false
    this.#wake()
  }

  async #retain(): Promise<void> {
    if (this.#isRetaining || performance.now() - this.#retainedMs < RETENTION_INTERVAL_MS) return
    this.#isRetaining = true
    try {
      await removeExpired(this.#store, () => this.#state === 'open')
    } catch (error) {
      this.#report(error)
    }
    this.#retainedMs = performance.now()
    this.#isRetaining = false
  }

  async #close({ timeoutMs = 30_000, abortMs = 5000 }: ConsumerCloseOptions): Promise<void> {
    this.#leaveHub()
    const wasOpen = this.#state === 'open'
    if (this.#state !== 'closed') this.#state = 'closing'
    clearTimeout(this.#startTimer)
    this.#lookout.stop()
    if (wasOpen) {
      await this.#runner.close(timeoutMs, abortMs)
      await this.#settled()
      clearInterval(this.#beatTimer)
      await this.#lease.release().catch((error: unknown) => this.#report(error))
    }
    this.#state = 'closed'
  }

  /** Waits for claims under way, which give their jobs back, and for all that is to be written. */
  async #settled(): Promise<void> {
    this.#outbox.stop()
    do {
      await this.#outbox.empty()
      await nextTurn()
    } while (this.#isClaiming || this.#isClaimingSuspect)
    await this.#outbox.empty()
  }

  #report(error: unknown): void {
    void this.#isEndedBy(error)
  }

  /** Tells of an error, and gives up when it says that nothing can be reached any more. Resolves to whether it did. */
  async #isEndedBy(error: unknown): Promise<boolean> {
    const isGone = await this.#store.isGone(error)
    if (isGone) this.#giveUp(error)
    else this.#store.options.onError(error)
    return isGone
  }

  /** The worker is closed or broken: there is nothing left to work with. */
  #giveUp(error: unknown): void {
    if (this.#state === 'closed') return
    const wasClosing = this.#state === 'closing'
    this.#state = 'closed'
    this.#leaveHub()
    clearTimeout(this.#startTimer)
    this.#lookout.stop()
    clearInterval(this.#beatTimer)
    this.#outbox.stop()
    this.#runner.abandon()
    if (!wasClosing && !isClosed(error)) this.#store.options.onError(error)
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_CLOSED'
}

function isTimerMsFromZero(value: unknown): boolean {
  return value === 0 || isTimerMsOrInfinity(value)
}
