import { deepStrictEqual, equal, rejects } from 'node:assert/strict'
import type { CacheStats } from '../backend.ts'
import { RelayCacheErrorCode } from '../errors.ts'
import { assertHit, assertMiss, type OpenCase } from './contract-case.ts'
import { eventually } from './eventually.ts'

const ILL_FORMED = '\ud800'

/** A backend by its own methods. */
export const storeCases: readonly OpenCase[] = [
  [
    'it misses what was never set',
    async (backend) => {
      assertMiss(await backend.get('a'))
      equal(await backend.has('a'), false)
    },
  ],
  [
    'it keeps keys apart that look alike',
    async (backend) => {
      const keys = ['a', 'a}', '{a}', '}', '-}', '--}', '-', '-a', 'A', 'a ', 'ä', '\n', '']
      for (const key of keys) await backend.set(key, key)
      for (const key of keys) assertHit(await backend.get(key), key)
    },
  ],
  [
    'it forgets a value after its ttl',
    async (backend) => {
      await backend.set('a', 1, { ttl: '30ms' })
      await eventually(async () => equal(await backend.has('a'), false))
    },
  ],
  [
    'it forgets a deleted key and no other',
    async (backend) => {
      await backend.set('a', 1)
      await backend.set('b', 2)
      await backend.delete('a')
      equal(await backend.has('a'), false)
      equal(await backend.has('b'), true)
    },
  ],
  [
    'it forgets everything when it is cleared',
    async (backend) => {
      await backend.set('a', 1)
      await backend.set('b', 2, { tags: ['t'] })
      await backend.clear()
      equal(await backend.has('a'), false)
      equal(await backend.has('b'), false)
      await backend.set('a', 3)
      assertHit(await backend.get('a'), 3)
    },
  ],
  [
    'it forgets what has at least one of the invalidated tags',
    async (backend) => {
      await backend.set('a', 1, { tags: ['x', 'y'] })
      await backend.set('b', 2, { tags: ['y', 'z'] })
      await backend.set('c', 3, { tags: ['z'] })
      await backend.set('d', 4)
      await backend.invalidateTags(['x', 'z', 'never used'])
      const left = await Promise.all(['a', 'b', 'c', 'd'].map((key) => backend.has(key)))
      deepStrictEqual(left, [false, false, false, true])
    },
  ],
  [
    'it refuses keys and tags that are not well-formed, and takes pairs of surrogates',
    async (backend) => {
      const unsupportedKey = { code: RelayCacheErrorCode.unsupportedKey }
      await rejects(backend.get(ILL_FORMED), unsupportedKey)
      await rejects(backend.set(`a${ILL_FORMED}`, 1), unsupportedKey)
      await rejects(backend.has(ILL_FORMED), unsupportedKey)
      await rejects(backend.delete(ILL_FORMED), unsupportedKey)
      await rejects(backend.set('a', 1, { tags: [ILL_FORMED] }), TypeError)
      await rejects(backend.invalidateTags([ILL_FORMED]), TypeError)
      await backend.set('\ud83d\ude00', 1, { tags: ['\ud83d\ude00'] })
      equal(await backend.has('\ud83d\ude00'), true)
    },
  ],
  [
    'it tells what it holds, where it can, and what it did',
    async (backend) => {
      await backend.set('a', 1, { tags: ['x'] })
      await backend.set('b', 2, { tags: ['x', 'y'] })
      await backend.invalidateTags(['y'])
      await backend.get('a')
      await backend.get('b')
      const stats = await backend.stats()
      const expected = { totalKeys: 2, activeKeys: 1, expiredKeys: 1, totalTags: 1 }
      for (const [name, count] of Object.entries(expected)) {
        const told = stats[name as keyof CacheStats]
        if (told !== null) equal(told, count, `Expected ${name} to be ${count}, got ${String(told)}`)
      }
      const { hits, misses, coalesced, errors } = stats
      deepStrictEqual({ hits, misses, coalesced, errors }, { hits: 1, misses: 1, coalesced: 0, errors: 0 })
    },
  ],
]
