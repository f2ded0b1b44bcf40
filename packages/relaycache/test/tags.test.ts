import { expect, it } from 'vitest'
import { InMemoryCache, invalidate } from '../src/index.ts'

/** A list that counts how often one of its items is read. */
function counted(items: readonly string[]) {
  const counts = { reads: 0 }
  const list = new Proxy(items, {
    get(target, property, receiver) {
      if (typeof property === 'string' && /^\d+$/.test(property)) counts.reads += 1
      return Reflect.get(target, property, receiver) as unknown
    },
  })
  return { counts, list }
}

it.each([3, 16, 17, 5000])('of %d tags an invalidation takes each once, in their order', async (count) => {
  const tags = Array.from({ length: count }, (_, index) => `tag:${index}`)
  const twice = tags.flatMap((tag, index) => [tag, tags[index >> 1] as string])
  expect(await invalidate({ tags: twice, backend: new InMemoryCache() })).toEqual({ tags, confirmed: true })
})

it('the work of an invalidation grows with its tags, and not with their square', async () => {
  const { counts, list } = counted(Array.from({ length: 5000 }, (_, index) => `tag:${index}`))
  await invalidate({ tags: list, backend: new InMemoryCache() })
  expect(counts.reads).toBeLessThanOrEqual(10 * list.length)
})
