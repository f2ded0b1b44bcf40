import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { Fifo } from '../src/engine/fifo.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

it('a queue does not hold what was taken out of it', async () => {
  const queue = new Fifo<object>()
  const taken = (() => {
    const item = {}
    queue.push(item)
    queue.push({})
    queue.shift()
    return new WeakRef(item)
  })()
  // a WeakRef keeps its target until the end of the turn
  await expect
    .poll(() => {
      collectGarbage()
      return taken.deref() === undefined
    })
    .toBe(true)
  expect(queue.size).toBe(1)
})
