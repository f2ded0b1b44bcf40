import { expect, it } from 'vitest'
import { Contention } from '../src/engine/contention.ts'

/** Asks once a millisecond from one time to another; returns the times at which looking was not allowed. */
function refusals(contention: Contention, from: number, to: number): number[] {
  const refused = []
  for (let now = from; now < to; now++) if (!contention.allowsLooking(now)) refused.push(now)
  return refused
}

it('threads that are let run may look for messages, also after a pause in which they were not', () => {
  let switches = 0
  const contention = new Contention(true, () => switches)
  expect(refusals(contention, 0, 1000)).toEqual([])
  switches += 10
  expect(refusals(contention, 2000, 3000)).toEqual([])
})

it('threads that are often not let run look for ever shorter parts of the time', () => {
  let switches = 0
  const contention = new Contention(true, () => switches++ * 10)
  const refused = refusals(contention, 0, 20_000)
  const looked = 20_000 - refused.length
  expect(refused[0]).toBe(10)
  expect(looked).toBeLessThan(150)
})

it('once they are let run again, they look again, and rest no longer than at first the next time', () => {
  let switches = 0
  let isContended = true
  const contention = new Contention(true, () => (switches += isContended ? 10 : 0))
  refusals(contention, 0, 1000)
  isContended = false
  expect(refusals(contention, 5000, 9000)).toEqual([])
  isContended = true
  const [first = 0] = refusals(contention, 9000, 9030)
  expect(refusals(contention, 9030, 9105).at(-1)).toBe(first + 99)
})

it('on a single core no thread looks', () => {
  expect(refusals(new Contention(false, () => 0), 0, 100)).toHaveLength(100)
})
