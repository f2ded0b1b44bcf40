import { deepStrictEqual, equal } from 'node:assert/strict'
import type { CacheBackend } from '../backend.ts'
import { cache } from '../cache.ts'
import type { CachedFunction } from '../cached-function.ts'
import { assertHit, assertMiss, type OpenCase } from './contract-case.ts'
import { eventually } from './eventually.ts'
import { latch, type Latch } from './latch.ts'
import { removals } from './removals.ts'

/** A backend where the ttl of the old value is over before the refresh is. */
export const expiryCases: readonly OpenCase[] = [
  [
    'the new value is kept',
    async (backend) => {
      const { get, go, refreshed } = await expiredDuringRefresh(backend)
      go.open()
      equal(await refreshed, 2)
      assertHit(await get.peek(), 2)
    },
  ],
  [
    'readers join the refresh',
    async (backend) => {
      const { get, go, refreshed } = await expiredDuringRefresh(backend)
      const joined = get.lookup()
      await eventually(() => equal(backend.counters.coalesced, 1))
      go.open()
      deepStrictEqual(await joined, { value: 2, status: 'coalesced' })
      equal(await refreshed, 2)
    },
  ],
  ...removals.map(([name, remove]): OpenCase => [
    `the new value is not kept when ${name} after that`,
    async (backend) => {
      const { get, go, refreshed } = await expiredDuringRefresh(backend)
      await remove(backend, get.keyOf())
      go.open()
      equal(await refreshed, 2)
      assertMiss(await get.peek())
      equal(await get(), 3)
    },
  ]),
  [
    'the new value is not kept over one that was set after the refresh began',
    async (backend) => {
      const { get, go, refreshed } = await expiredDuringRefresh(backend)
      await backend.set(get.keyOf(), 'set', { tags: ['t'], ttl: '20ms' })
      await eventually(async () => assertMiss(await get.peek()))
      go.open()
      equal(await refreshed, 2)
      assertMiss(await get.peek())
    },
  ],
]

/** A cached counter whose old value has expired while its refresh runs. */
async function expiredDuringRefresh(
  backend: CacheBackend,
): Promise<{ get: CachedFunction<[], number>; go: Latch; refreshed: Promise<number> }> {
  const go = latch()
  let computed = 0
  const get = cache({ ttl: '100ms', backend, tags: ['t'] }, async function get() {
    computed += 1
    const result = computed
    if (result === 2) await go.opened
    return result
  })
  await get()
  const refreshed = get.refresh()
  await eventually(async () => assertMiss(await get.peek()))
  return { get, go, refreshed }
}
