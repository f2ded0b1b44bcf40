import type { CacheBackend } from '../backend.ts'
import { invalidate } from '../invalidate.ts'

/** The ways to take a value with the tag `t` out of a backend. */
export const removals: readonly (readonly [
  name: string,
  remove: (backend: CacheBackend, key: string) => Promise<unknown>,
])[] = [
  ['its tag is invalidated', (backend) => invalidate({ tags: ['t'], backend })],
  ['its key is deleted', (backend, key) => backend.delete(key)],
  ['the cache is cleared', (backend) => backend.clear()],
]
