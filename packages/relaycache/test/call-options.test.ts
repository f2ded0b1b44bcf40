import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cache, InMemoryCache } from '../src/index.ts'
import { latch } from './latch.ts'

let backend: InMemoryCache
beforeEach(() => {
  backend = new InMemoryCache()
})

describe('bypass', () => {
  it('runs the function, and neither reads nor stores, while it says so', async () => {
    let bypassed = false
    let runs = 0
    const get = cache({ ttl: 60, backend, bypass: () => bypassed }, async function get() {
      runs += 1
      return runs
    })
    await get()
    bypassed = true
    expect(await get.lookup()).toEqual({ value: 2, status: 'bypass' })
    expect(await get()).toBe(3)
    expect(await get.refresh()).toBe(4)
    expect(await get.peek()).toEqual({ hit: false })
    bypassed = false
    expect(await get.lookup()).toEqual({ value: 1, status: 'hit' })
    expect(backend.counters).toEqual({ ...backend.counters, hits: 1, misses: 1, coalesced: 0 })
  })

  it('joins no run, and lets nobody join', async () => {
    const go = latch()
    let bypassed = false
    let runs = 0
    const get = cache({ ttl: 60, backend, bypass: () => bypassed }, async function get() {
      runs += 1
      const run = runs
      await go.opened
      return run
    })
    const first = get()
    bypassed = true
    const alone = get()
    bypassed = false
    const joined = get()
    go.open()
    expect(new Set(await Promise.all([first, joined])).size).toBe(1)
    expect(await alone).not.toBe(await first)
  })

  it('hands on the error of a function that throws at once', async () => {
    const get = cache({ ttl: 60, backend, bypass: () => true }, function get(): number {
      throw new Error('no')
    })
    await expect(get()).rejects.toThrow('no')
    await expect(get.refresh()).rejects.toThrow('no')
  })
})

describe('a signal', () => {
  it('ends the wait of its caller, while the computation goes on for others and for the cache', async () => {
    const reading = latch()
    const go = latch()
    const get = cache({ ttl: 60, backend }, async function get() {
      reading.open()
      await go.opened
      return 1
    })
    const controller = new AbortController()
    const aborted = get.with({ signal: controller.signal })()
    const other = get()
    await reading.opened
    controller.abort(new Error('gone'))
    await expect(aborted).rejects.toThrow('gone')
    go.open()
    expect(await other).toBe(1)
    expect(await get.lookup()).toEqual({ value: 1, status: 'hit' })
  })

  it('that is aborted already keeps the function from running', async () => {
    let runs = 0
    const get = cache({ ttl: 60, backend, key: 'get' }, async () => (runs += 1))
    await expect(get.with({ signal: AbortSignal.abort() })()).rejects.toThrow('aborted')
    expect(runs).toBe(0)
  })

  it('is not needed, and nothing else is taken', async () => {
    const get = cache({ ttl: 60, backend }, async function get(id: number) {
      return id
    })
    expect(await get.with({})(7)).toBe(7)
    expect(() => get.with({ signl: AbortSignal.abort() } as object)).toThrow('did you mean "signal"?')
  })

  it('is let go of when the call is over', async () => {
    const get = cache({ ttl: 60, backend }, async function get() {
      return 1
    })
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    await get.with({ signal })()
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    )
  })
})

describe('the ttl of a value', () => {
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  it('is shortened at random by at most the jitter', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] })
    const get = cache({ ttl: 100, jitter: 0.2, backend }, async function get(id: number) {
      return id
    })
    for (const [id, random] of [0, 0.5, 0.999_999].entries()) {
      vi.spyOn(Math, 'random').mockReturnValue(random)
      await get(id)
    }
    const held = () => Promise.all([0, 1, 2].map(async (id) => (await get.peek(id)).hit))
    vi.advanceTimersByTime(79_990)
    expect(await held()).toEqual([true, true, true])
    vi.advanceTimersByTime(20)
    expect(await held()).toEqual([true, true, false])
    vi.advanceTimersByTime(10_000)
    expect(await held()).toEqual([true, false, false])
    vi.advanceTimersByTime(10_000)
    expect(await held()).toEqual([false, false, false])
  })

  it.each([
    { negativeTtl: 1, afterTwoSeconds: false },
    { negativeTtl: 100, afterTwoSeconds: true },
    { negativeTtl: undefined, afterTwoSeconds: true },
  ])('is negativeTtl $negativeTtl for null and undefined', async ({ negativeTtl, afterTwoSeconds }) => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] })
    const values = [null, undefined, 0, '', false]
    const get = cache({ ttl: 10, negativeTtl, backend }, async function get(index: number) {
      return values[index]
    })
    for (const index of values.keys()) await get(index)
    vi.advanceTimersByTime(2000)
    const held = await Promise.all(values.map(async (_, index) => (await get.peek(index)).hit))
    expect(held).toEqual([afterTwoSeconds, afterTwoSeconds, true, true, true])
  })

  it.each([
    [{ jitter: -0.1 }, 'Expected jitter to be a fraction from 0 to 1, got -0.1 (number)'],
    [{ jitter: 2 }, 'Expected jitter to be a fraction'],
    [{ jitter: '10%' }, 'Expected jitter to be a fraction'],
    [{ negativeTtl: 0 }, 'Expected negativeTtl to be a number of seconds or a duration'],
    [{ errorTtl: Infinity }, 'Expected errorTtl to be a number of seconds or a duration'],
    [{ bypass: true }, 'Expected bypass to be a function, got true (boolean)'],
  ])('and other options are checked: %j', (options, message) => {
    expect(() => cache({ ttl: 1, ...(options as object) }, function get() {})).toThrow(message)
  })
})
