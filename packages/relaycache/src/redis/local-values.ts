import type { Shared } from '../backend.ts'
import type { Dependency } from './tokens.ts'

/** What tells whether Redis still holds the very blob that a value was decoded from, and whether that is valid. */
export interface Proof {
  readonly stamp: string
  /** The namespace key and the keys of the tags, with the tokens that the value was stored under. */
  readonly dependencies: readonly Dependency[]
}

/** A value that was decoded before. */
export interface Held extends Proof {
  readonly value: unknown
}

/** Decoded values in this process, by the names of their keys in Redis. None is trusted without its proof. */
export interface LocalValues {
  find(name: string): Held | undefined
  /**
   * Keeps a value that nobody else has, and gives it back in the form in which readers get it; `undefined` when it
   * cannot be kept.
   */
  keep(name: string, held: Held): Shared | undefined
  /** Told whether Redis still holds what was found. */
  checked(isCurrent: boolean): void
}
