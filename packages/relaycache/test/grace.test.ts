import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { eventually } from '@outrider/test-kit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cache, invalidate, type CacheBackend, type CacheOptions, type Duration } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { latch } from './latch.ts'

type Options = Partial<CacheOptions<[]>>

/** The key of the cached function below. */
const KEY = 'get()'

const removals: [string, (backend: CacheBackend) => Promise<unknown>][] = [
  ['its tag is invalidated', (backend) => invalidate({ tags: ['t'], backend })],
  ['its key is deleted', (backend) => backend.delete(KEY)],
  ['the cache is cleared', (backend) => backend.clear()],
]

describeEachBackend('grace', (create) => {
  let backend: CacheBackend
  beforeEach(() => {
    backend = create()
  })

  /** A counter whose first value, 1, is past its ttl. Later runs fail, or wait for `go`, as the test says. */
  async function stale(options: Options) {
    const db = { runs: 0, fails: false, waits: false }
    const go = latch()
    const get = cache({ ttl: '40ms', grace: '1h', backend, tags: ['t'], ...options }, async function get() {
      db.runs += 1
      const run = db.runs
      if (db.waits) await go.opened
      if (db.fails) throw new Error(`failure ${run}`)
      return { run }
    })
    await get()
    await eventually(async () => expect(await get.peek()).toEqual({ hit: false }))
    return { db, go, get }
  }

  describe('alone', () => {
    it('lets the function run after the ttl', async () => {
      const { get } = await stale({})
      expect(await get.lookup()).toEqual({ value: { run: 2 }, status: 'miss' })
    })

    it('serves the stale value while the function fails, which is tried each time', async () => {
      const { get, db } = await stale({})
      db.fails = true
      const outcomes = await Promise.all([get.lookup(), get.lookup()])
      expect(outcomes).toEqual(outcomes.map(() => ({ value: { run: 1 }, status: 'stale' })))
      expect(await get.lookup()).toEqual({ value: { run: 1 }, status: 'stale' })
      expect(db.runs).toBe(3)
      db.fails = false
      expect(await get.lookup()).toEqual({ value: { run: 4 }, status: 'miss' })
    })

    it('does not try again for the errorTtl', async () => {
      const { get, db } = await stale({ errorTtl: 60 })
      db.fails = true
      await get()
      expect(await get.lookup()).toEqual({ value: { run: 1 }, status: 'stale' })
      expect(db.runs).toBe(2)
    })

    it('waits for a slow function', async () => {
      const { get, db, go } = await stale({})
      db.waits = true
      const outcome = get.lookup()
      await eventually(() => expect(db.runs).toBe(2))
      go.open()
      expect(await outcome).toEqual({ value: { run: 2 }, status: 'miss' })
    })

    it('lets a value be stored whose function began before its end', async () => {
      const { get, db, go } = await stale({ grace: '300ms' })
      db.waits = true
      const longer = cache({ ttl: '1h', grace: '300ms', backend, tags: ['t'] }, async function get() {
        db.runs += 1
        await go.opened
        return { run: db.runs }
      })
      const running = longer()
      await eventually(() => db.runs === 2)
      await eventually(async () => expect(await backend.peek(KEY, () => ['t'], true)).toEqual({ hit: false }))
      go.open()
      expect(await running).toEqual({ run: 2 })
      expect(await get.peek()).toEqual({ hit: true, value: { run: 2 } })
    })

    it('is over at its end', async () => {
      const { get, db } = await stale({ grace: '40ms' })
      db.fails = true
      await eventually(async () => expect(get()).rejects.toThrow('failure'))
    })

    it('does not show the stale value to get, has and peek, nor to functions without grace', async () => {
      const { get } = await stale({})
      const without = cache({ ttl: 60, backend, key: 'get', tags: ['t'] }, async () => {
        throw new Error('down')
      })
      expect(await backend.get(KEY)).toEqual({ hit: false })
      expect(await backend.has(KEY)).toBe(false)
      await expect(without()).rejects.toThrow('down')
      expect(await get.lookup()).toMatchObject({ status: 'miss' })
    })

    it('rejects a refresh that fails, and keeps the stale value', async () => {
      const { get, db } = await stale({})
      db.fails = true
      await expect(get.refresh()).rejects.toThrow('failure 2')
      expect(await get.lookup()).toMatchObject({ status: 'stale' })
    })

    it.each(removals)('never serves it when %s', async (_, remove) => {
      const { get, db } = await stale({})
      db.fails = true
      await remove(backend)
      await expect(get()).rejects.toThrow('failure 2')
    })

    it.each(removals)('never serves it when %s while the function runs', async (_, remove) => {
      const { get, db, go } = await stale({})
      Object.assign(db, { fails: true, waits: true })
      const outcome = get.lookup()
      const settled = expect(outcome).rejects.toThrow('failure 2')
      await eventually(() => expect(db.runs).toBe(2))
      await remove(backend)
      go.open()
      await settled
    })

    it('lets nobody join a run that began before an invalidation', async () => {
      const { get, db, go } = await stale({})
      db.waits = true
      const older = get()
      await eventually(() => expect(db.runs).toBe(2))
      await invalidate({ tags: ['t'], backend })
      db.waits = false
      expect(await get.lookup()).toEqual({ value: { run: 3 }, status: 'miss' })
      go.open()
      await older
      expect(await get.lookup()).toEqual({ value: { run: 3 }, status: 'hit' })
    })
  })

  describe('with softTimeout', () => {
    afterEach(() => {
      vi.useRealTimers()
    })

    const softTimeout: Duration = '10ms'

    it('serves the stale value when the function is slow, and stores what it gives', async () => {
      const { get, db, go } = await stale({ softTimeout, ttl: '1s' })
      db.waits = true
      expect(await get.lookup()).toEqual({ value: { run: 1 }, status: 'stale' })
      expect(await get.lookup()).toEqual({ value: { run: 1 }, status: 'stale' })
      go.open()
      await eventually(async () => expect(await get.peek()).toEqual({ hit: true, value: { run: 2 } }))
      expect(db.runs).toBe(2)
    })

    it('waits for a slow function where there is nothing stale', async () => {
      const { get, db, go } = await stale({ softTimeout })
      await invalidate({ tags: ['t'], backend })
      db.waits = true
      const outcome = get.lookup()
      await eventually(() => expect(db.runs).toBe(2))
      go.open()
      expect(await outcome).toEqual({ value: { run: 2 }, status: 'miss' })
    })

    it.each(removals)('waits for the function when %s before the time is over', async (_, remove) => {
      const { get, db, go } = await stale({ softTimeout: '1h' })
      db.waits = true
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const outcome = get.lookup()
      await eventually(() => expect(db.runs).toBe(2))
      await remove(backend)
      const peek = vi.spyOn(backend, 'peek')
      vi.advanceTimersByTime(3_600_000)
      await eventually(() => expect(peek).toHaveBeenCalledOnce())
      expect(await peek.mock.results[0]?.value).toEqual({ hit: false })
      go.open()
      expect(await outcome).toEqual({ value: { run: 2 }, status: 'miss' })
      expect(await get.peek()).toEqual({ hit: false })
    })
  })

  describe('with staleWhileRevalidate', () => {
    it('serves the stale value at once, while the function runs once', async () => {
      const { get, db, go } = await stale({ staleWhileRevalidate: true, ttl: '1s' })
      db.waits = true
      const outcomes = await Promise.all([get.lookup(), get.lookup(), get.lookup()])
      expect(outcomes).toEqual(outcomes.map(() => ({ value: { run: 1 }, status: 'stale' })))
      go.open()
      await eventually(async () => expect(await get.peek()).toEqual({ hit: true, value: { run: 2 } }))
      expect(db.runs).toBe(2)
    })

    it('publishes the error of a run in the background, and serves the stale value on', async () => {
      const { get, db } = await stale({ staleWhileRevalidate: true })
      const events: unknown[] = []
      const listener = (event: unknown): unknown => events.push(event)
      subscribe('relaycache:refresh-failed', listener)
      db.fails = true
      await get()
      await eventually(() => expect(events).toEqual([{ key: KEY, error: new Error('failure 2') }]))
      unsubscribe('relaycache:refresh-failed', listener)
      expect(await get.lookup()).toMatchObject({ status: 'stale' })
    })

    it.each(removals)('never serves it when %s', async (_, remove) => {
      const { get } = await stale({ staleWhileRevalidate: true })
      await remove(backend)
      expect(await get.lookup()).toEqual({ value: { run: 2 }, status: 'miss' })
    })

    it.each(removals)('does not store what began before %s', async (_, remove) => {
      const { get, db, go } = await stale({ staleWhileRevalidate: true })
      db.waits = true
      await get()
      await eventually(() => expect(db.runs).toBe(2))
      await remove(backend)
      db.waits = false
      expect(await get.lookup()).toEqual({ value: { run: 3 }, status: 'miss' })
      go.open()
      expect((await get()).run).toBeGreaterThan(2)
    })

    it('does not let one caller change what another gets', async () => {
      const get = cache(
        { ttl: '20ms', grace: '1h', staleWhileRevalidate: true, backend },
        async function dates() {
          return { when: new Date(0) }
        },
      )
      await get()
      await eventually(async () => expect(await get.peek()).toEqual({ hit: false }))
      const { value } = await get.lookup()
      value.when.setFullYear(1999)
      expect(await get()).toEqual({ when: new Date(0) })
    })
  })
})

describeEachBackend('earlyRefresh', (create) => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** A function that takes a while, and the dice of its readers. */
  function counter(backend: CacheBackend) {
    const random = vi.spyOn(Math, 'random')
    let runs = 0
    const get = cache({ ttl: 60, earlyRefresh: true, backend, tags: ['t'] }, async function get() {
      runs += 1
      const until = performance.now() + 2
      while (performance.now() < until);
      return runs
    })
    return { get, random }
  }

  it('computes a value again before it expires when the dice say so, and serves the old one meanwhile', async () => {
    const { get, random } = counter(create())
    random.mockReturnValue(0.5)
    await get()
    expect(await get.lookup()).toEqual({ value: 1, status: 'hit' })
    expect(await get.lookup()).toEqual({ value: 1, status: 'hit' })
    // 60 s before the end, with 2 ms to compute, the dice must be extreme.
    random.mockReturnValue(0)
    const outcomes = await Promise.all([get.lookup(), get.lookup(), get.lookup()])
    random.mockReturnValue(0.5)
    expect(outcomes).toEqual(outcomes.map(() => ({ value: 1, status: 'hit' })))
    await eventually(async () => expect(await get.lookup()).toEqual({ value: 2, status: 'hit' }))
  })

  it('has one run under way at a time, however often the dice say so', async () => {
    const reading = latch()
    const go = latch()
    let runs = 0
    const get = cache({ ttl: 60, earlyRefresh: true, backend: create() }, async function get() {
      runs += 1
      const run = runs
      if (run > 1) {
        reading.open()
        await go.opened
      }
      return run
    })
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    await get()
    random.mockReturnValue(0)
    await get()
    await reading.opened
    for (let time = 0; time < 3; time += 1) {
      expect(await get.lookup()).toEqual({ value: 1, status: 'hit' })
    }
    go.open()
    await eventually(async () => expect(await get.peek()).toEqual({ hit: true, value: 2 }))
    expect(runs).toBe(2)
  })

  it('does not store what it computed when something was invalidated meanwhile', async () => {
    const backend = create()
    const reading = latch()
    const go = latch()
    let runs = 0
    const get = cache({ ttl: 60, earlyRefresh: true, backend, tags: ['t'] }, async function get() {
      runs += 1
      const run = runs
      if (run === 2) {
        reading.open()
        await go.opened
      }
      return run
    })
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    await get()
    random.mockReturnValue(0)
    await get()
    await reading.opened
    random.mockReturnValue(0.5)
    await invalidate({ tags: ['t'], backend })
    expect(await get.lookup()).toEqual({ value: 3, status: 'miss' })
    go.open()
    expect(await get.lookup()).toEqual({ value: 3, status: 'hit' })
  })
})

describe('options of stale values', () => {
  it.each<[object, string]>([
    [{ grace: 60 }, "Expected grace to be a duration with a unit such as '10m', got 60 (number)"],
    [{ grace: '53w' }, 'Expected grace to be more than 0 and at most one year'],
    [{ grace: '1m', softTimeout: 100 }, 'Expected softTimeout to be a duration with a unit'],
    [{ softTimeout: '1s' }, 'Expected the option grace with softTimeout'],
    [{ staleWhileRevalidate: true }, 'Expected the option grace with staleWhileRevalidate'],
    [{ grace: '1m', staleWhileRevalidate: 'yes' }, 'Expected staleWhileRevalidate to be a boolean'],
    [{ earlyRefresh: 1 }, 'Expected earlyRefresh to be a boolean, got 1 (number)'],
  ])('are checked: %j', (options, message) => {
    expect(() => cache({ ttl: 1, ...options }, function get() {})).toThrow(message)
  })
})
