import { eventually } from '@outrider/test-kit'
import { beforeEach, expect, it } from 'vitest'
import { cache, invalidate, type CacheBackend, type CacheOptions } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { latch } from './latch.ts'

describeEachBackend(
  'A soft invalidation',
  (create) => {
    let backend: CacheBackend
    beforeEach(() => {
      backend = create()
    })

    const soften = (...tags: string[]) => invalidate({ tags, backend, soft: true })

    /** A cached counter. Runs wait for `go` when the test says so. */
    function counter(options: Partial<CacheOptions<[]>> = {}) {
      const db = { runs: 0, waits: false, fails: false }
      const go = latch()
      const get = cache({ ttl: 60, backend, tags: ['t', 'u'], ...options }, async function get() {
        db.runs += 1
        const run = db.runs
        if (db.waits) await go.opened
        if (db.fails) throw new Error(`failure ${run}`)
        return { run }
      })
      return { db, go, get }
    }

    it('lets the old value be served while the function runs once', async () => {
      const { db, go, get } = counter()
      await get()
      expect(await soften('t')).toEqual({ tags: ['t'], confirmed: true })
      db.waits = true
      const outcomes = await Promise.all([get.lookup(), get.lookup()])
      outcomes.push(await get.lookup())
      expect(outcomes).toEqual(outcomes.map(() => ({ value: { run: 1 }, status: 'stale' })))
      go.open()
      await eventually(async () => expect(await get.lookup()).toEqual({ value: { run: 2 }, status: 'hit' }))
      expect(db.runs).toBe(2)
    })

    it('hides the old value from get, has and peek', async () => {
      const { get } = counter()
      await get()
      await soften('u')
      expect(await get.peek()).toEqual({ hit: false })
      expect(await backend.get(get.keyOf())).toEqual({ hit: false })
      expect(await backend.has(get.keyOf())).toBe(false)
      expect(await backend.stats()).toMatchObject({ totalKeys: 1, activeKeys: 0, totalTags: 2 })
    })

    it('leaves values with other tags alone, and those computed after it', async () => {
      const { get } = counter()
      await get()
      await soften('other')
      expect(await get.lookup()).toMatchObject({ status: 'hit' })
      await soften('t')
      await get.refresh()
      expect(await get.lookup()).toEqual({ value: { run: 2 }, status: 'hit' })
    })

    it('can be repeated', async () => {
      const { get, db, go } = counter()
      await get()
      db.waits = true
      for (const tag of ['t', 't', 'u']) await soften(tag)
      expect(await get.lookup()).toEqual({ value: { run: 1 }, status: 'stale' })
      await soften('t')
      expect(await get.lookup()).toEqual({ value: { run: 1 }, status: 'stale' })
      go.open()
      await eventually(async () => expect(await get.peek()).toEqual({ hit: true, value: { run: 3 } }))
    })

    it.each<[string, (key: string) => Promise<unknown>]>([
      ['an ordinary invalidation of the same tag', () => invalidate({ tags: ['t'], backend })],
      ['an ordinary invalidation of another tag', () => invalidate({ tags: ['u'], backend })],
      ['the deletion of the key', (key) => backend.delete(key)],
      ['clearing the cache', () => backend.clear()],
    ])('is outdone by %s: the old value is gone', async (_, remove) => {
      const { get } = counter()
      await get()
      await soften('t')
      await remove(get.keyOf())
      expect(await get.lookup()).toEqual({ value: { run: 2 }, status: 'miss' })
      await soften('t')
      await soften('u')
      await remove(get.keyOf())
      expect(await get.lookup()).toEqual({ value: { run: 3 }, status: 'miss' })
    })

    it('does not bring back what an ordinary invalidation took out', async () => {
      const { get } = counter()
      await get()
      await invalidate({ tags: ['t'], backend })
      await soften('t')
      expect(await get.lookup()).toEqual({ value: { run: 2 }, status: 'miss' })
    })

    it('keeps a value that is being computed from being stored, and later callers from joining', async () => {
      const { get, db, go } = counter()
      db.waits = true
      const older = get()
      await eventually(() => expect(db.runs).toBe(1))
      await soften('t')
      db.waits = false
      expect(await get.lookup()).toEqual({ value: { run: 2 }, status: 'miss' })
      go.open()
      expect(await older).toEqual({ run: 1 })
      expect(await get.lookup()).toEqual({ value: { run: 2 }, status: 'hit' })
    })

    it('of values with other tags than the reader expects finds them stale, too', async () => {
      const { get } = counter()
      await get()
      const later = cache({ ttl: 60, backend, key: 'get', tags: ['new'] }, async () => ({ run: 7 }))
      await soften('t')
      expect(await later.lookup()).toEqual({ value: { run: 1 }, status: 'stale' })
      await eventually(async () => expect(await later.peek()).toEqual({ hit: true, value: { run: 7 } }))
    })

    it('ends with the ttl of the value', async () => {
      const { get, db } = counter({ ttl: '60ms' })
      await get()
      await soften('t')
      db.fails = true
      await eventually(async () => expect(get()).rejects.toThrow('failure'))
    })

    it('goes together with grace', async () => {
      const { get, db } = counter({ ttl: '40ms', grace: '1h' })
      await get()
      await eventually(async () => expect(await get.peek()).toEqual({ hit: false }))
      await soften('t')
      db.fails = true
      expect(await get.lookup()).toEqual({ value: { run: 1 }, status: 'stale' })
      await invalidate({ tags: ['t'], backend })
      await expect(get()).rejects.toThrow('failure')
    })

    it('ends a kept error', async () => {
      const { get, db } = counter({ errorTtl: 60 })
      db.fails = true
      await expect(get()).rejects.toThrow('failure 1')
      await soften('t')
      await expect(get()).rejects.toThrow('failure 2')
    })

    it('needs a boolean', async () => {
      await expect(invalidate({ tags: [], backend, soft: 'yes' as never })).rejects.toThrow(
        "Expected soft to be a boolean, got 'yes' (string)",
      )
    })
  },
  { inCluster: true },
)
