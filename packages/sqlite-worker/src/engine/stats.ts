import { statSync } from 'node:fs'
import type { Distribution, Meter } from './meter.ts'
import type { Respawn } from './respawn.ts'

/** What one set of threads did and does. Times are in milliseconds. */
export interface ThreadStats {
  readonly operations: number
  readonly failures: number
  /** From a call until its message was sent, by message. */
  readonly waitMs: Distribution
  /** From there until its answer. */
  readonly runMs: Distribution
  /** Sent and not answered yet. */
  readonly underWay: number
  /** Threads that died and were started again. */
  readonly restarts: number
}

export interface WorkerStats {
  /** Operations without an outcome, and what they weigh. */
  readonly queueSize: number
  readonly queueBytes: number
  /** `groupSize` is how many writes shared a commit. */
  readonly writer: ThreadStats & { readonly groupSize: Distribution }
  readonly readers: ThreadStats & { readonly threads: number }
  /** Streams and copies that have a connection at the moment. */
  readonly streams: number
  /** Sizes of the database and of its write-ahead log, in bytes; 0 for one in memory. */
  readonly fileBytes: number
  readonly walBytes: number
}

export function threadStats(meter: Meter, respawn: Respawn, underWay: number): ThreadStats {
  return {
    operations: meter.operations,
    failures: meter.failures,
    waitMs: meter.waitMs.summary(),
    runMs: meter.runMs.summary(),
    underWay,
    restarts: respawn.restarts,
  }
}

/** Bytes of a file; 0 where there is none. */
export function sizeOfFile(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
