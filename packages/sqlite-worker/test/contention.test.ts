import { expect, it } from 'vitest'
import { Contention } from '../src/contention.ts'

/** Looks every tenth of a millisecond; returns when it stopped to be worth it. */
function lookFrom(contention: Contention, start: number, gapAt = Infinity): number {
  if (!contention.begin(start)) return start
  for (let now = start + 0.1; now < start + 10; now += 0.1) {
    if (!contention.look(now >= gapAt ? now + 1 : now)) return now
  }
  return Infinity
}

it('a thread that is always let run goes on to look', () => {
  expect(lookFrom(new Contention(), 1000)).toBe(Infinity)
})

it('a thread that was not let run stops to look, and begins again later', () => {
  const contention = new Contention()
  expect(lookFrom(contention, 1000, 1005)).toBeCloseTo(1005)
  expect(lookFrom(contention, 1040)).toBe(1040)
  expect(lookFrom(contention, 1060)).toBe(Infinity)
})

it('what passes between two times of looking does not count', () => {
  const contention = new Contention()
  lookFrom(contention, 1000)
  expect(lookFrom(contention, 2000)).toBe(Infinity)
})

it('a thread that is often not let run looks ever more rarely, until it goes well for a while', () => {
  const contention = new Contention()
  const pauses: number[] = []
  let now = 1000
  for (let time = 0; time < 9; time++) {
    const start = now
    lookFrom(contention, start, start + 1)
    while (!contention.begin(now)) now += 1
    pauses.push(now - start)
  }
  expect(pauses.map((ms) => Math.round(ms / 50) * 50)).toEqual([
    50, 100, 200, 400, 800, 1600, 3200, 3200, 3200,
  ])
  now += 10_000
  lookFrom(contention, now, now + 1)
  expect(contention.begin(now + 60)).toBe(true)
})
