import { ttlToMs, type Ttl } from './duration.ts'
import { checkOptionNames } from './options.ts'
import { distinctTags } from './tags.ts'

/** What {@link CacheBackend.set} may be given. */
export interface SetOptions {
  /** How long the value may be served. A bare number is seconds. @default the `defaultTtl` of the backend */
  readonly ttl?: Ttl | undefined
  /** The tags that take the value out of the cache. @default [] */
  readonly tags?: readonly string[] | undefined
}

/** @throws {TypeError | RangeError} when an option is unknown, ill-typed or out of range */
export function resolveSetOptions(
  options: SetOptions,
  defaultTtlMs: number,
): { ttlMs: number; tags: readonly string[] } {
  checkOptionNames('set', options, ['ttl', 'tags'])
  return {
    ttlMs: options.ttl === undefined ? defaultTtlMs : ttlToMs('ttl', options.ttl),
    tags: distinctTags(options.tags ?? []),
  }
}
