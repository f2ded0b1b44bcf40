import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from '@outrider/test-kit'
import { beforeEach, expect, it } from 'vitest'
import { cache, invalidate, type CacheBackend, type Ttl } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { latch } from './latch.ts'

describeEachBackend('errorTtl', (create) => {
  let backend: CacheBackend
  let runs: number
  beforeEach(() => {
    backend = create()
    runs = 0
  })

  function failing(errorTtl: Ttl | undefined, tags: readonly string[] = ['t']) {
    return cache({ ttl: 60, backend, tags, errorTtl }, async function failing(_id: number) {
      runs += 1
      throw new Error(`failure ${runs}`)
    })
  }

  it('gives the same error to later callers, of these arguments only', async () => {
    const get = failing(60)
    await expect(get(1)).rejects.toThrow('failure 1')
    await expect(get(1)).rejects.toThrow('failure 1')
    await expect(get(2)).rejects.toThrow('failure 2')
    expect(await get.peek(1)).toEqual({ hit: false })
    expect(runs).toBe(2)
    expect(backend.counters).toMatchObject({ misses: 2, coalesced: 1 })
  })

  it('runs the function again once it is over', async () => {
    const get = failing('20ms')
    await expect(get(1)).rejects.toThrow('failure 1')
    await eventually(async () => expect(get(1)).rejects.toThrow('failure 2'))
  })

  it('keeps an error that is to be kept for longer than a timer can wait', async () => {
    const get = failing('60d')
    await expect(get(1)).rejects.toThrow('failure 1')
    await delay(20)
    await expect(get(1)).rejects.toThrow('failure 1')
  })

  it.each<[string, (key: string) => Promise<unknown>]>([
    ['an invalidation of a tag', () => invalidate({ tags: ['t'], backend })],
    ['the deletion of the key', (key) => backend.delete(key)],
    ['clearing the cache', () => backend.clear()],
  ])('ends with %s', async (_, remove) => {
    const get = failing(60)
    await expect(get(1)).rejects.toThrow('failure 1')
    await remove(get.keyOf(1))
    await expect(get(1)).rejects.toThrow('failure 2')
  })

  it('does not keep the error of a run during which a tag was invalidated', async () => {
    const reading = latch()
    const go = latch()
    const get = cache({ ttl: 60, backend, tags: ['t'], errorTtl: 60 }, async function get() {
      runs += 1
      reading.open()
      if (runs > 1) return runs
      await go.opened
      throw new Error('old')
    })
    const older = get()
    await reading.opened
    await invalidate({ tags: ['t'], backend })
    go.open()
    await expect(older).rejects.toThrow('old')
    expect(await get()).toBe(2)
  })

  it('ends when the value is set or refreshed', async () => {
    let fails = true
    const get = cache({ ttl: 60, backend, errorTtl: 60 }, async function get() {
      if (fails) throw new Error('down')
      return 'up'
    })
    await expect(get()).rejects.toThrow('down')
    await expect(get.refresh()).rejects.toThrow('down')
    fails = false
    await expect(get()).rejects.toThrow('down')
    expect(await get.refresh()).toBe('up')
    expect(await get.lookup()).toEqual({ value: 'up', status: 'hit' })
  })

  it('keeps no error without it', async () => {
    const get = failing(undefined)
    await expect(get(1)).rejects.toThrow('failure 1')
    await expect(get(1)).rejects.toThrow('failure 2')
  })

  it('keeps a bounded number of errors, the latest ones', async () => {
    const get = failing(60, [])
    for (let id = 0; id <= 1000; id += 1) await get(id).catch(() => undefined)
    expect(runs).toBe(1001)
    await expect(get(1)).rejects.toThrow('failure 2')
    await expect(get(0)).rejects.toThrow('failure 1002')
  })
})
