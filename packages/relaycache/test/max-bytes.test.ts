import { describe, expect, it } from 'vitest'
import { cache, InMemoryCache } from '../src/index.ts'

describe('maxBytes', () => {
  const kilobytes = (count: number): Buffer => Buffer.alloc(count * 1000)

  it('drops what was not used for longest when the values are too large together', async () => {
    const backend = new InMemoryCache({ maxBytes: 35_000 })
    for (const key of ['a', 'b', 'c']) await backend.set(key, kilobytes(10))
    await backend.get('a')
    await backend.set('d', kilobytes(10))
    const held = await Promise.all(['a', 'b', 'c', 'd'].map((key) => backend.has(key)))
    expect(held).toEqual([true, false, true, true])
  })

  it.each<[string, (size: number) => unknown]>([
    ['text', (size) => 'x'.repeat(size / 2)],
    ['bytes', (size) => new Uint8Array(size)],
    ['a list', (size) => Array.from({ length: size / 16 }, (_, index) => index)],
    [
      'an object',
      (size) => Object.fromEntries(Array.from({ length: size / 24 }, (_, index) => [`k${index}`, index])),
    ],
    ['a map', (size) => new Map(Array.from({ length: size / 72 }, (_, index) => [index, index]))],
    ['a set', (size) => new Set(Array.from({ length: size / 56 }, (_, index) => index))],
    ['a list of dates', (size) => Array.from({ length: size / 96 }, () => new Date())],
  ])('measures %s', async (_, make) => {
    const backend = new InMemoryCache({ maxBytes: 50_000 })
    for (const key of ['a', 'b', 'c', 'd', 'e']) await backend.set(key, make(10_000))
    expect(await backend.stats()).toMatchObject({ totalKeys: 4 })
  })

  it('counts keys and tags, too', async () => {
    const backend = new InMemoryCache({ maxBytes: 10_000 })
    await backend.set('k'.repeat(3000), 1)
    await backend.set('a', 1, { tags: ['t'.repeat(3000)] })
    expect(await backend.stats()).toMatchObject({ totalKeys: 1, totalTags: 1 })
  })

  it('does not store a value that is too large, and gives it to the caller', async () => {
    const backend = new InMemoryCache({ maxBytes: 1000 })
    const get = cache({ ttl: 60, backend, tags: ['t'] }, async function get(size: number) {
      return 'x'.repeat(size)
    })
    expect(await get(10)).toHaveLength(10)
    expect(await get(1000)).toHaveLength(1000)
    expect(await get.peek(10)).toMatchObject({ hit: true })
    expect(await get.peek(1000)).toEqual({ hit: false })
    expect(await backend.set('large', 'x'.repeat(1000))).toBe(false)
    await get.invalidate(10)
    expect(await backend.stats()).toMatchObject({ totalKeys: 0, totalTags: 0 })
  })

  it('is checked', () => {
    for (const maxBytes of [0, -1, 1.5, Number.NaN, '1MB' as never]) {
      expect(() => new InMemoryCache({ maxBytes })).toThrow('Expected maxBytes to be Infinity or an integer')
    }
    expect(() => new InMemoryCache({ maxBytes: 1000, isolation: 'shared' })).toThrow(TypeError)
    expect(() => new InMemoryCache({ maxBytes: Infinity, isolation: 'shared' })).not.toThrow()
  })
})
