import { MAX_OPERATIONS, Shared } from '../protocol.ts'

/** Chunks that may be under way to the receiver at once. */
const CREDITS = 4

/** What the other thread says to this one while it is busy: which operations were given up, how many chunks it took. */
export class SharedState {
  readonly #memory: Int32Array
  #chunksSent = 0
  #firstWord: number = Shared.abortedBits + MAX_OPERATIONS / 32

  constructor(memory: SharedArrayBuffer) {
    this.#memory = new Int32Array(memory)
  }

  /** Turns to the bits of the next batch: batches use one half and the other in turn. */
  nextBatch(): void {
    const half = MAX_OPERATIONS / 32
    this.#firstWord = this.#firstWord === Shared.abortedBits ? Shared.abortedBits + half : Shared.abortedBits
  }

  /** Whether this thread is to end as soon as it can, without an answer to what it runs. */
  get isStopped(): boolean {
    return Atomics.load(this.#memory, Shared.stop) !== 0
  }

  /** Blocks this thread for some milliseconds, or until it is to end. */
  sleep(ms: number): void {
    Atomics.wait(this.#memory, Shared.stop, 0, ms)
  }

  /** How many messages were sent to this thread, modulo 2^32. */
  get messagesSent(): number {
    return Atomics.load(this.#memory, Shared.messagesSent)
  }

  /** Whether nobody waits for an operation of the current batch. */
  isAborted(index: number): boolean {
    return (
      this.isStopped ||
      (Atomics.load(this.#memory, this.#firstWord + (index >> 5)) & (1 << (index & 31))) !== 0
    )
  }

  /** Counts a chunk, once the receiver has room for it. Blocks this thread; returns false when it was given up. */
  waitToSend(index: number): boolean {
    for (;;) {
      if (this.isAborted(index)) return false
      const taken = Atomics.load(this.#memory, Shared.chunksTaken)
      if (((this.#chunksSent - taken) | 0) < CREDITS) break
      Atomics.wait(this.#memory, Shared.chunksTaken, taken, 100) // an abort wakes it too, or is seen by then
    }
    this.#chunksSent = (this.#chunksSent + 1) | 0
    return true
  }
}
