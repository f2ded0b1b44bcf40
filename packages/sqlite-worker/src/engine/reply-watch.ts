import { availableParallelism } from 'node:os'
import { onNextTurn } from '../event-loop.ts'
import { SOON_MS, SPIN_MS } from '../protocol.ts'

/** Whether looking for a message pays: on a single core it only keeps the other thread from running. */
export const MAY_SPIN: boolean = availableParallelism() > 1

/**
 * Keeps the event loop turning for a moment while an answer is expected soon, since a loop that sleeps takes longer
 * to be woken than most statements run. Timers, sockets and all else have their turns meanwhile.
 */
export class ReplyWatch {
  readonly #isAwaited: () => boolean
  #isSoon = false
  #until = 0
  #isTurning = false

  constructor(isAwaited: () => boolean) {
    this.#isAwaited = isAwaited
  }

  /** Something was sent. */
  sent(now: number): void {
    if (!MAY_SPIN || !this.#isSoon) return
    this.#until = now + SPIN_MS
    if (this.#isTurning) return
    this.#isTurning = true
    onNextTurn(() => this.#turn())
  }

  /** It was answered after so many milliseconds. */
  answered(afterMs: number): void {
    this.#isSoon = afterMs < SOON_MS
  }

  #turn(): void {
    this.#isTurning = this.#isAwaited() && performance.now() < this.#until
    if (this.#isTurning) onNextTurn(() => this.#turn())
  }
}
