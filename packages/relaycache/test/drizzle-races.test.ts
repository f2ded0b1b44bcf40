import { setTimeout as sleep } from 'node:timers/promises'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pg-proxy'
import { expect, it } from 'vitest'
import { relayDrizzleCache } from '../src/drizzle/index.ts'
import { describeEachBackend } from './each-backend.ts'

const MAX_DELAY_MS = 8
const counters = pgTable('counters', { version: integer().notNull() })

describeEachBackend('reads and writes at the same time', (create) => {
  /** How often a read gave an older version than one whose write had resolved before the read began. */
  async function countStale(how: 'bare' | 'write'): Promise<number> {
    const backend = create()
    let committed = 0
    let known = 0
    let stale = 0
    const state = { isWriting: true }
    const pause = () => sleep(Math.random() * MAX_DELAY_MS)
    const open = () => {
      const queries = relayDrizzleCache({ ttl: 60, backend, strategy: 'all' })
      const db = drizzle(
        async (query, values) => {
          await pause()
          if (!query.startsWith('select')) committed = Math.max(committed, Number(values[0]))
          const rows = [[committed]]
          await pause()
          return { rows }
        },
        { cache: queries },
      )
      return { queries, db }
    }
    const read = async (): Promise<void> => {
      const { db } = open()
      while (state.isWriting) {
        const least = known
        const [row] = await db.select().from(counters)
        if ((row?.version ?? 0) < least) stale += 1
        await sleep(Math.random() * 3)
      }
    }
    const write = async (): Promise<void> => {
      const { db, queries } = open()
      for (let version = 1; version <= 60; version += 1) {
        const statement = () => db.update(counters).set({ version })
        await (how === 'write' ? queries.write(statement) : statement())
        known = version
        await sleep(Math.random() * 3 * MAX_DELAY_MS)
      }
      state.isWriting = false
    }
    await Promise.all([write(), ...Array.from({ length: 8 }, read)])
    return stale
  }

  it('never give an old result after a statement', async () => {
    expect(await countStale('bare')).toBe(0)
  })

  it('never give an old result after a write()', async () => {
    expect(await countStale('write')).toBe(0)
  })
})
