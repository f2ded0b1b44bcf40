import { deepStrictEqual, equal } from 'node:assert/strict'
import { cache } from '../cache.ts'
import { assertHit, type OpenCase } from './contract-case.ts'
import { eventually } from './eventually.ts'
import { latch } from './latch.ts'

/** A backend while values are refreshed. */
export const refreshCases: readonly OpenCase[] = [
  [
    'the old value is served meanwhile, and the new one afterwards',
    async (backend) => {
      const go = latch()
      let version = 1
      const get = cache({ ttl: 60, backend }, async function get() {
        const result = version
        if (result === 2) await go.opened
        return result
      })
      await get()
      version = 2
      const refreshed = get.refresh()
      deepStrictEqual(await get.lookup(), { value: 1, status: 'hit' })
      go.open()
      equal(await refreshed, 2)
      deepStrictEqual(await get.lookup(), { value: 2, status: 'hit' })
    },
  ],
  [
    'those that are called together share one run',
    async (backend) => {
      let computed = 0
      const get = cache({ ttl: 60, backend }, async function get() {
        computed += 1
        return { computed }
      })
      const refreshed = await Promise.all([get.refresh(), get.refresh(), get.refresh()])
      deepStrictEqual(
        refreshed,
        refreshed.map(() => ({ computed: 1 })),
      )
      assertHit(await get.peek(), { computed: 1 })
      deepStrictEqual(await get.refresh(), { computed: 2 })
    },
  ],
  [
    'lookups join',
    async (backend) => {
      const go = latch()
      let computed = 0
      const get = cache({ ttl: 60, backend }, async function get() {
        computed += 1
        await go.opened
        return { computed }
      })
      const refreshed = get.refresh()
      const looked = [get.lookup(), get.lookup()]
      await eventually(() => equal(backend.counters.coalesced + backend.counters.misses, 2))
      go.open()
      deepStrictEqual(await refreshed, { computed: 1 })
      for (const { value } of await Promise.all(looked)) deepStrictEqual(value, { computed: 1 })
    },
  ],
  [
    'one that is called while another runs has a run of its own',
    async (backend) => {
      const go = latch()
      const reading = latch()
      let version = 1
      const get = cache({ ttl: 60, backend }, async function get() {
        const result = version
        reading.open()
        if (result === 1) await go.opened
        return result
      })
      const older = get.refresh()
      await reading.opened
      version = 2
      equal(await get.refresh(), 2)
      go.open()
      equal(await older, 1)
      assertHit(await get.peek(), 2)
    },
  ],
]
