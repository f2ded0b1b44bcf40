import { describe, expect, it } from 'vitest'
import { median, medianInterval, pairedRatio, randomFrom, shuffled, spread } from '../lib/statistics.mjs'

const random = randomFrom(1)
const samplesOf = (count) => Array.from({ length: count }, () => 50 + 100 * random())

describe('the median', () => {
  it('is the middle value, whatever the order', () => expect(median([9, 1, 5])).toBe(5))
  it('is the mean of the two in the middle of an even number', () => expect(median([4, 1, 2, 9])).toBe(3))
  it('does not sort its argument in place', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })
  it('refuses nothing at all, and values that are no finite numbers', () => {
    expect(() => median([])).toThrow(RangeError)
    expect(() => median([1, Number.NaN])).toThrow('got NaN')
  })
})

describe('the 90 % interval of the median', () => {
  it.each([
    [5, 1, 5],
    [7, 1, 7],
    [8, 2, 7],
    [11, 3, 9],
    [13, 4, 10],
    [20, 6, 15],
  ])('of %i values reaches from the %i. to the %i.', (count, lower, upper) => {
    const values = Array.from({ length: count }, (_, index) => index + 1)
    expect(medianInterval(values.toReversed())).toEqual([lower, upper])
  })
  it('encloses the true median in at least 90 % of many trials', () => {
    for (const count of [7, 8, 11, 15]) {
      const enclosed = Array.from({ length: 4000 }, () => medianInterval(samplesOf(count)))
      const share = enclosed.filter(([lower, upper]) => lower <= 100 && 100 <= upper).length / enclosed.length
      expect(share).toBeGreaterThan(0.89)
    }
  })
  it('refuses too few values', () => expect(() => medianInterval([1, 2, 3, 4])).toThrow('at least 5'))
})

describe('a ratio', () => {
  it('of identical samples is exactly 1', () => {
    for (const better of ['higher', 'lower']) {
      const samples = samplesOf(11)
      expect(pairedRatio(samples, samples, better)).toEqual({ ratio: 1, interval: [1, 1] })
    }
  })
  it('doubles with our rate, and halves with our time', () => {
    const [ours, other] = [samplesOf(11), samplesOf(11)]
    const doubled = ours.map((value) => 2 * value)
    for (const [better, factor] of [
      ['higher', 2],
      ['lower', 0.5],
    ]) {
      const before = pairedRatio(ours, other, better)
      const after = pairedRatio(doubled, other, better)
      expect(after.ratio).toBeCloseTo(factor * before.ratio, 12)
      expect(after.interval[0]).toBeCloseTo(factor * before.interval[0], 12)
      expect(after.interval[1]).toBeCloseTo(factor * before.interval[1], 12)
    }
  })
  it('is the inverse of the ratio seen from the other side', () => {
    const [ours, other] = [samplesOf(11), samplesOf(11)]
    const { ratio } = pairedRatio(ours, other, 'lower')
    expect(pairedRatio(other, ours, 'lower').ratio).toBeCloseTo(1 / ratio, 12)
  })
  it('is not moved by noise that slows both samples of a round', () => {
    const noise = samplesOf(11)
    const { ratio, interval } = pairedRatio(
      noise.map((value) => 3 * value),
      noise,
      'higher',
    )
    expect(ratio).toBeCloseTo(3, 12)
    expect(interval[1] - interval[0]).toBeCloseTo(0, 12)
  })
  it.each([Number.NaN, 0, -1, Infinity, '5', undefined])('refuses the sample %s', (bad) => {
    const good = samplesOf(7)
    const spoilt = good.with(3, bad)
    expect(() => pairedRatio(spoilt, good, 'higher')).toThrow(RangeError)
    expect(() => pairedRatio(good, spoilt, 'lower')).toThrow(RangeError)
  })
  it('refuses samples from different rounds', () => {
    expect(() => pairedRatio(samplesOf(7), samplesOf(8), 'higher')).toThrow('7 and 8')
  })
})

describe('the order of a round', () => {
  it('is the same for the same seed, and loses nothing', () => {
    const items = ['a', 'b', 'c', 'd', 'e']
    expect(shuffled(items, randomFrom(7))).toEqual(shuffled(items, randomFrom(7)))
    expect(shuffled(items, randomFrom(7)).toSorted()).toEqual(items)
  })
  it('puts each item in each place about equally often', () => {
    const firsts = { a: 0, b: 0, c: 0 }
    const order = randomFrom(3)
    for (let round = 0; round < 3000; round += 1) firsts[shuffled(['a', 'b', 'c'], order)[0]] += 1
    for (const count of Object.values(firsts)) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })
})

it('the spread is the interquartile range as a share of the median', () => {
  expect(spread([90, 95, 98, 100, 102, 105, 110])).toBeCloseTo(0.1, 12)
})
