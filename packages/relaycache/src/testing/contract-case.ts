import { deepStrictEqual, equal } from 'node:assert/strict'
import type { CacheBackend, Lookup } from '../backend.ts'
import type { OnError } from '../reporter.ts'

/** Makes a new, empty backend that hands its failures to `onError`. */
export type CreateBackend = (options: { readonly onError?: OnError }) => CacheBackend | Promise<CacheBackend>

/** One demand on a backend. */
export interface ContractCase {
  /** A sentence that says what a backend does; unique. */
  readonly name: string
  /** Rejects when the backend does not, at the latest after 10 s. */
  readonly run: () => Promise<void>
}

/** A case before it knows which backend it is for: `create` makes further ones. */
export type OpenCase = readonly [
  name: string,
  run: (backend: CacheBackend, create: CreateBackend) => Promise<void>,
]

/** @throws {AssertionError} unless it is a hit of an equal value */
export function assertHit(found: Lookup, value: unknown): void {
  equal(found.hit, true, 'Expected a hit')
  deepStrictEqual(found.value, value)
}

/** @throws {AssertionError} unless it is a miss */
export function assertMiss(found: Lookup): void {
  equal(found.hit, false, 'Expected a miss')
}
