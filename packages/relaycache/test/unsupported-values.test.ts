import { expect, it } from 'vitest'
import { cache, UnsupportedValueError } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'

class Book {
  readonly notes: string[] = []
}

describeEachBackend('a value that cannot be stored', (create) => {
  it('is one for all callers of a run, and another one for the next', async () => {
    const errors: unknown[] = []
    const backend = create({ onError: (error) => errors.push(error) })
    const get = cache({ ttl: 60, backend }, async function get() {
      return new Book()
    })
    const [first, joined] = await Promise.all([get(), get()])
    expect(first).toBeInstanceOf(Book)
    expect(joined).toBe(first)
    expect(errors).toEqual([expect.any(UnsupportedValueError)])
    expect(await get()).not.toBe(first)
  })
})
