import { deepStrictEqual, equal } from 'node:assert/strict'
import type { CacheBackend } from '../backend.ts'
import { cache } from '../cache.ts'
import type { CachedFunction } from '../cached-function.ts'
import { assertMiss, type OpenCase } from './contract-case.ts'
import { eventually } from './eventually.ts'
import { latch, type Latch } from './latch.ts'
import { removals } from './removals.ts'

/** A backend where a function is under way, with old data, when that data is invalidated. */
export const invalidationCases: readonly OpenCase[] = [
  ...removals.map(([name, remove]): OpenCase => [
    `the older value is never served when ${name}`,
    async (backend) => {
      const { db, reading, go, read } = heldRead(backend)
      const older = read()
      await reading.opened
      db.version = 2
      await remove(backend, read.keyOf())
      go.open()
      equal(await older, 1)
      assertMiss(await read.peek())
      equal(await read(), 2)
    },
  ]),
  ...removals.map(([name, remove]): OpenCase => [
    `no later caller joins when ${name}`,
    async (backend) => {
      const { db, reading, go, read } = heldRead(backend)
      const older = read()
      await reading.opened
      db.version = 2
      await remove(backend, read.keyOf())
      const later = read.lookup()
      const { counters } = backend
      await eventually(() => equal(counters.misses + counters.coalesced, 2))
      equal(counters.coalesced, 0, 'Expected the later caller not to join')
      deepStrictEqual(await later, { value: 2, status: 'miss' })
      go.open()
      equal(await older, 1)
      deepStrictEqual(await read.lookup(), { value: 2, status: 'hit' })
    },
  ]),
  ...(['set', 'refresh'] as const).map((replace): OpenCase => [
    `what ${replace} stored meanwhile is kept`,
    async (backend) => {
      const { db, reading, go, read } = heldRead(backend)
      const older = read()
      await reading.opened
      db.version = 2
      await (replace === 'set' ? backend.set(read.keyOf(), 2, { tags: ['t'] }) : read.refresh())
      go.open()
      equal(await older, 1)
      deepStrictEqual(await read.lookup(), { value: 2, status: 'hit' })
    },
  ]),
]

/** A cached read of `db.version` that stops, once, between reading and returning. */
function heldRead(backend: CacheBackend): {
  db: { version: number }
  reading: Latch
  go: Latch
  read: CachedFunction<[], number>
} {
  const db = { version: 1 }
  const reading = latch()
  const go = latch()
  const read = cache({ ttl: 60, backend, tags: ['t'] }, async function read() {
    const { version } = db
    reading.open()
    if (version === 1) await go.opened
    return version
  })
  return { db, reading, go, read }
}
