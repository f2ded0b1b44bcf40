import type { Shared, Timing } from '../backend.ts'
import type { Dependency } from './tokens.ts'

/**
 * A value that was decoded before, with what tells whether Redis still holds the very blob that it was decoded from, and
 * whether that is valid.
 */
export interface Held {
  readonly stamp: string
  /** The namespace key and the keys of the tags, with the tokens that the value was stored under. */
  readonly dependencies: readonly Dependency[]
  readonly value: unknown
}

/** A value that may be served without asking Redis. */
export interface Trusted {
  readonly hit: true
  readonly value: unknown
  readonly timing: Timing | undefined
}

/** A point before Redis was asked, by which a value is told from what was announced since. */
export interface Moment {
  /** How much had been announced. */
  readonly order: number
  /** Of unbroken listening; 0 when there was none. */
  readonly session: number
  /** A moment of `performance.now()`: what Redis was asked after it gives the state of after it. */
  readonly sentAt: number
  /**
   * When that is gone from Redis which the key held as its ttl was asked for, which was before its value was: `-Infinity`
   * while that is not known, `Infinity` for nothing. If another value is read, that was stored after `sentAt`.
   */
  readonly goneAt: number
}

/**
 * Decoded values in this process. `name` is that of a key in Redis. None is used without its proof but those that
 * {@link trusted} gives. Where there are none, there are no moments either.
 */
export interface LocalValues {
  /** By the key of the value itself: a name costs more to make than all else. */
  trusted(key: string): Trusted | undefined
  /** Taken before Redis is asked for the key, in the same tick. */
  moment(name: string): Moment | undefined
  find(name: string): Held | undefined
  /**
   * Keeps a value that nobody else has, as Redis gave it or was given it after the moment, and gives it back in the form in
   * which readers get it; `undefined` when it cannot be kept.
   */
  keep(name: string, held: Held, since: Moment | undefined): Shared | undefined
  /** Told whether Redis still holds what was found. */
  checked(isCurrent: boolean): void
  /** Told that Redis still holds what was found, as of the moment. */
  confirmed(name: string, held: Held, since: Moment): void
  /** Told of keys of which something else may be in Redis than before. */
  forget(names: readonly string[]): void
  /** Told that a value was stored in Redis, after it was kept if that was possible. */
  stored(name: string, stamp: string): void
}
