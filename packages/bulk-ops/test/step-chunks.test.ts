import { expect, it } from 'vitest'
import { getStepChunks } from '../src/index.ts'

it('cuts seven rows in steps of three into chunks of 3, 3 and 1', () => {
  expect([...getStepChunks([1, 2, 3, 4, 5, 6, 7], 3)]).toEqual([[1, 2, 3], [4, 5, 6], [7]])
})

it('gives no chunk for no rows, and one for fewer rows than a step', () => {
  expect([...getStepChunks([])]).toEqual([])
  expect([...getStepChunks(new Set([1]))]).toEqual([[1]])
})

it('reads its rows only as the chunks are read', () => {
  let read = 0
  const rows = (function* () {
    while (true) yield (read += 1)
  })()
  const chunks = getStepChunks(rows, 10)
  expect(chunks.next().value).toHaveLength(10)
  expect(read).toBe(10)
})

it.each([0, -1, 1.5, Number.NaN, '3' as never])(
  'refuses a step of %s at the call, before anything is read',
  (step) => {
    expect(() => getStepChunks([1], step)).toThrow(RangeError)
  },
)
