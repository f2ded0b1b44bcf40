import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { InMemoryCache } from '../src/index.ts'
import { newStamp } from '../src/redis/entry.ts'
import { KeySpace } from '../src/redis/key-space.ts'
import { L1Values } from '../src/tiered/l1-values.ts'

const MINUTE_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** Values in memory, one of which Redis has for so long. */
function keptFor(lifeMs: number) {
  const keys = new KeySpace('relaycache:', 'relaycache:meta:')
  const values = new L1Values(new InMemoryCache(), keys)
  const name = keys.value('a')
  const held = { stamp: newStamp(lifeMs), dependencies: [], value: 1 }
  expect(values.keep(name, held)?.own).toBe(1)
  return { held, find: () => values.find(name) }
}

it('memory keeps a value for as long as Redis has it', () => {
  const { held, find } = keptFor(MINUTE_MS)
  vi.advanceTimersByTime(MINUTE_MS - 2)
  expect(find()).toEqual(held)
  vi.advanceTimersByTime(4)
  expect(find()).toBeUndefined()
})

it('memory keeps a value for an hour at most, however long Redis has it', () => {
  const { held, find } = keptFor(24 * 60 * MINUTE_MS)
  vi.advanceTimersByTime(60 * MINUTE_MS - 2)
  expect(find()).toEqual(held)
  vi.advanceTimersByTime(4)
  expect(find()).toBeUndefined()
})
