import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { eventually } from '@outrider/test-kit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { cache, getDefaultBackend, InMemoryCache, invalidate, setDefaultBackend } from '../src/index.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

describe('InMemoryCache', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('keeps a value for its whole ttl and not longer', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] })
    const backend = new InMemoryCache({ defaultTtl: 10 })
    await backend.set('default', 1)
    await backend.set('own', 1, { ttl: '20s' })
    vi.advanceTimersByTime(9999)
    expect(await backend.has('default')).toBe(true)
    vi.advanceTimersByTime(2)
    expect(await backend.has('default')).toBe(false)
    expect(await backend.has('own')).toBe(true)
    vi.advanceTimersByTime(10_000)
    expect(await backend.has('own')).toBe(false)
  })

  it('lets a value expire while only promises keep the process busy', async () => {
    const backend = new InMemoryCache()
    await backend.set('a', 1, { ttl: '20ms' })
    const until = performance.now() + 1000
    while (performance.now() < until && (await backend.has('a')));
    expect(performance.now()).toBeLessThan(until)
  })

  it('finds within 64 lookups that a value expired while the event loop was blocked', async () => {
    const backend = new InMemoryCache()
    await backend.set('a', 1, { ttl: '10ms' })
    const until = performance.now() + 20
    while (performance.now() < until);
    let hits = 0
    while (hits <= 64 && (await backend.has('a'))) hits += 1
    expect(hits).toBeLessThanOrEqual(64)
  })

  it('drops what was not used for longest when it is full', async () => {
    const backend = new InMemoryCache({ maxItems: 2 })
    await backend.set('a', 1)
    await backend.set('b', 2)
    await backend.get('a')
    await backend.set('c', 3)
    expect(await Promise.all(['a', 'b', 'c'].map((key) => backend.has(key)))).toEqual([true, false, true])
  })

  it('forgets a tag with the last value that has it', async () => {
    const backend = new InMemoryCache({ maxItems: 10 })
    for (let id = 0; id < 1000; id += 1) await backend.set(`${id}`, id, { tags: [`tag:${id}`, 'all'] })
    expect((await backend.stats()).totalTags).toBe(11)
    await backend.clear()
    expect((await backend.stats()).totalTags).toBe(0)
  })

  it('forgets the tags of a computation that failed', async () => {
    const backend = new InMemoryCache()
    const failing = cache({ ttl: 1, backend, tags: ['t'] }, async function failing() {
      throw new Error('no')
    })
    await expect(failing()).rejects.toThrow('no')
    expect(await backend.stats()).toMatchObject({ totalKeys: 0, totalTags: 0 })
  })

  it('forgets a softly invalidated tag with the last value that had it before or since', async () => {
    const backend = new InMemoryCache()
    const soften = () => invalidate({ tags: ['t'], backend, soft: true })
    for (const key of ['a', 'b', 'c']) {
      await backend.set(key, key, { tags: ['t'] })
      await soften()
      await soften()
    }
    for (const key of ['b', 'c', 'a']) {
      expect((await backend.stats()).totalTags).toBe(1)
      await backend.delete(key)
    }
    expect(await backend.stats()).toMatchObject({ totalKeys: 0, totalTags: 0 })
  })

  it('remembers nothing of soft invalidations between which nothing is stored', async () => {
    const backend = new InMemoryCache()
    let runs = 0
    const get = cache({ ttl: 60, backend, tags: ['t'] }, async function get() {
      return (runs += 1)
    })
    await get()
    const soften = async (times: number) => {
      for (let time = 0; time < times; time += 1) await backend.invalidateTags(['t'], { soft: true })
      collectGarbage()
      return process.memoryUsage().heapUsed
    }
    const before = await soften(1000)
    expect((await soften(100_000)) - before).toBeLessThan(2_000_000)
    expect(await get.lookup()).toEqual({ value: 1, status: 'stale' })
    await eventually(async () => expect(await get.lookup()).toEqual({ value: 2, status: 'hit' }))
    await backend.clear()
    expect(await backend.stats()).toMatchObject({ totalKeys: 0, totalTags: 0 })
  })

  it('gives every caller the same frozen copy of plain data', async () => {
    const backend = new InMemoryCache()
    const original = { list: [{ id: 1 }] }
    await backend.set('a', original)
    const { value } = await backend.get('a')
    expect(value).toEqual(original)
    expect(value).not.toBe(original)
    expect((await backend.get('a')).value).toBe(value)
    expect(() => (value as typeof original).list.push({ id: 2 })).toThrow(TypeError)
    expect(Object.isFrozen(original)).toBe(false)
  })

  it('gives every caller an own copy of data that cannot be frozen', async () => {
    const backend = new InMemoryCache()
    await backend.set('a', { when: new Date(0), map: new Map([['k', ['v']]]) })
    const { value } = (await backend.get('a')) as { value: { when: Date; map: Map<string, string[]> } }
    value.when.setFullYear(1999)
    value.map.get('k')?.push('w')
    expect((await backend.get('a')).value).toEqual({ when: new Date(0), map: new Map([['k', ['v']]]) })
  })

  it('copies for every caller with isolation clone', async () => {
    const backend = new InMemoryCache({ isolation: 'clone' })
    await backend.set('a', { list: [1] })
    const { value } = (await backend.get('a')) as { value: { list: number[] } }
    value.list.push(2)
    expect((await backend.get('a')).value).toEqual({ list: [1] })
  })

  it('keeps the very value with isolation shared, of any kind', async () => {
    const backend = new InMemoryCache({ isolation: 'shared' })
    const handler = (): void => undefined
    await backend.set('a', handler)
    expect(await backend.get('a')).toEqual({ hit: true, value: handler })
  })

  it('does not let keys such as __proto__ change an object', async () => {
    const backend = new InMemoryCache()
    const value: unknown = JSON.parse('{"__proto__": {"admin": true}, "list": []}')
    await backend.set('a', value)
    const found = await backend.get('a')
    expect(found.value).toEqual(value)
    expect((found.value as { admin?: boolean }).admin).toBeUndefined()
  })

  it('warns once about values it cannot store when nobody listens', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const backend = new InMemoryCache()
    expect(await backend.set('a', Symbol('a'))).toBe(false)
    expect(await backend.set('b', Symbol('b'))).toBe(false)
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      'A value was not stored because it holds a symbol; return plain data. Give an onError option to see every such error',
    ])
    warn.mockRestore()
  })
})

describe('the default backend', () => {
  it('is one memory cache until another is set, also for functions wrapped before', async () => {
    const original = getDefaultBackend()
    expect(original).toBeInstanceOf(InMemoryCache)
    expect(getDefaultBackend()).toBe(original)
    const get = cache({ ttl: 60, tags: ['t'] }, async function get() {
      return 1
    })
    await get()
    const own = new InMemoryCache()
    setDefaultBackend(own)
    expect(await get.peek()).toEqual({ hit: false })
    await get()
    expect(await own.has(get.keyOf())).toBe(true)
    await invalidate({ tags: ['t'] })
    expect(await own.has(get.keyOf())).toBe(false)
    setDefaultBackend(original)
    expect(await get.peek()).toEqual({ hit: true, value: 1 })
  })

  it('is shared by all copies of this package in a process', () => {
    const registered: unknown = Reflect.get(globalThis, Symbol.for('@outrider/relaycache/default-backend'))
    expect(registered).toBe(getDefaultBackend())
  })
})
