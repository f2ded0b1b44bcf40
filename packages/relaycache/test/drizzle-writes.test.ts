import { integer, pgTable } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pg-proxy'
import { describe, expect, it } from 'vitest'
import { relayDrizzleCache } from '../src/drizzle/index.ts'
import { InMemoryCache } from '../src/index.ts'
import { latch } from './latch.ts'

const counters = pgTable('counters', { version: integer().notNull() })

/** Holds each invalidation until it is let go, if it is told to. */
class Holding extends InMemoryCache {
  readonly reached = latch()
  readonly go = latch()
  isHolding = false

  override async invalidateTags(tags: readonly string[]): Promise<void> {
    // What the tags are is decided by now.
    if (this.isHolding) {
      this.isHolding = false
      this.reached.open()
      await this.go.opened
    }
    await super.invalidateTags(tags)
  }
}

function open() {
  const backend = new Holding()
  const queries = relayDrizzleCache({ ttl: 60, backend, settle: '1h' })
  const database = { version: 1, selects: 0 }
  const db = drizzle(
    async (query, values) => {
      if (query.startsWith('select')) database.selects += 1
      else database.version = Number(values[0])
      return { rows: [[database.version]] }
    },
    { cache: queries },
  )
  return {
    backend,
    queries,
    database,
    read: async () => (await db.select().from(counters).$withCache())[0]?.version,
    // Drizzle sends a statement when it is awaited.
    set: async (version: number) => {
      await db.update(counters).set({ version })
    },
  }
}

describe('what a write() started and did not wait for', () => {
  /** A worker that was started within a `write`, which is over by now, and that does what it is given. */
  async function startWorker<T>(
    { queries, set }: ReturnType<typeof open>,
    work: () => Promise<T>,
  ): Promise<() => Promise<T>> {
    const go = latch()
    let done: Promise<T> | undefined
    await queries.write(async () => {
      await set(2)
      done = go.opened.then(work)
    })
    return async () => {
      go.open()
      return done ?? expect.fail()
    }
  }

  it('invalidates and marks tables by itself once the write has ended', async () => {
    const shop = open()
    const work = await startWorker(shop, () => shop.set(3))
    expect([await shop.read(), await shop.read(), shop.database.selects]).toEqual([2, 2, 1])
    await work()
    expect([await shop.read(), await shop.read(), shop.database.selects]).toEqual([3, 3, 3])
  })

  it('uses the cache once the write has ended', async () => {
    const shop = open()
    const work = await startWorker(shop, async () => [await shop.read(), await shop.read()])
    expect(await work()).toEqual([2, 2])
    expect(shop.database.selects).toBe(1)
  })

  it('can write() by itself once the write has ended', async () => {
    const shop = open()
    const work = await startWorker(shop, () => shop.queries.write(() => shop.set(3)))
    await shop.read()
    await work()
    expect([await shop.read(), await shop.read(), shop.database.selects]).toEqual([3, 3, 2])
  })

  it.for(['succeeded', 'failed'])('counts as outside while a write that %s invalidates', async (outcome) => {
    const { backend, queries, set, read } = open()
    const go = latch()
    let late: Promise<void> | undefined
    await read()
    backend.isHolding = true
    const failure = new Error('rolled back')
    const writing = queries.write(async () => {
      late = go.opened.then(() => set(3))
      await set(2)
      if (outcome === 'failed') throw failure
    })
    const ended = writing.catch((error: unknown) => expect(error).toBe(failure))
    await backend.reached.opened
    go.open()
    await late
    expect(await read()).toBe(3)
    backend.go.open()
    await ended
    expect(await read()).toBe(3)
  })

  it('belongs to the write() around it as long as that is under way', async () => {
    const { queries, set, read, database } = open()
    await read()
    const goInner = latch()
    await queries.write(async () => {
      let late: Promise<void> | undefined
      await queries.write(() => {
        late = goInner.opened.then(() => set(2))
      })
      goInner.open()
      await late
    })
    // A table that was written outside would be marked, and its results not stored.
    expect([await read(), await read(), database.selects]).toEqual([2, 2, 2])
  })
})
