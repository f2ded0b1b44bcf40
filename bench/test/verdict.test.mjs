import { describe, expect, it } from 'vitest'
import { caseText, markdown } from '../lib/report.mjs'
import { defineCase } from '../lib/suite.mjs'
import { broken, judge } from '../lib/verdict.mjs'

const contender = { run: () => {} }
const rate = (options) =>
  defineCase({ id: 'a', unit: 'op/s', ours: contender, peers: { peer: contender }, ...options })
const seven = (value) => Array.from({ length: 7 }, () => value)

describe('a floor', () => {
  it('is met when the ratio reaches it exactly', () => {
    const result = judge(rate({ floor: { peer: 2 } }), 7, { ours: seven(200), peer: seven(100) }, {})
    expect(result).toMatchObject({ ratios: { peer: 2 }, interval: { peer: [2, 2] }, ok: true })
  })
  it('is missed when the whole interval lies below it', () => {
    const result = judge(rate({ floor: { peer: 3 } }), 7, { ours: seven(200), peer: seven(100) }, {})
    expect(result.ok).toBe(false)
    expect(caseText(result)).toContain('MISSED')
  })
  it('is not missed while noise could explain it', () => {
    const ours = [150, 160, 170, 180, 190, 200, 310]
    const result = judge(rate({ floor: { peer: 3 } }), 7, { ours, peer: seven(100) }, {})
    expect(result).toMatchObject({ ratios: { peer: 1.8 }, interval: { peer: [1.5, 3.1] }, ok: true })
  })
  it('of a time is oriented the same way: 0.8 means at most 1.25 times as long', () => {
    const time = rate({ unit: 'ms', floor: { peer: 0.8 } })
    expect(judge(time, 7, { ours: seven(125), peer: seven(100) }, {}).ok).toBe(true)
    expect(judge(time, 7, { ours: seven(126), peer: seven(100) }, {}).ok).toBe(false)
  })
  it('is not confused with the stretch, which never fails', () => {
    const both = rate({ floor: { peer: 1 }, stretch: { peer: 3 } })
    expect(judge(both, 7, { ours: seven(200), peer: seven(100) }, {})).toMatchObject({ ok: true })
    expect(caseText(judge(both, 7, { ours: seven(400), peer: seven(100) }, {}))).toContain('stretch reached')
  })
})

describe('a limit', () => {
  const metrics = { latency: { measure: () => 1 } }
  const limited = (limit) =>
    defineCase({ id: 'a', unit: 'ms', metrics, limits: [{ metric: 'latency', unit: 'ms', ...limit }] })

  it.each([
    ['<=', 5, [1, 5, 90], true],
    ['<=', 5, [1, 6, 6], false],
    ['>=', 5, [1, 5, 90], true],
    ['>=', 5, [4, 4, 90], false],
    ['==', 1, [1, 1, 1], true],
    ['==', 1, [1, 2, 1], false],
    ['==', 0, [0, 0, 0], true],
  ])('%s %d of %j: %s', (op, value, latency, ok) => {
    const result = judge(limited({ op, value }), 7, {}, { latency })
    expect(result.ok).toBe(ok)
    expect(result.limits[0].ok).toBe(ok)
  })
  it('with == shows the sample that differs', () => {
    expect(judge(limited({ op: '==', value: 1 }), 7, {}, { latency: [1, 3, 1] }).limits[0].measured).toBe(3)
  })
  it('can look at a ratio, and at a contender', () => {
    const between = rate({
      limits: [
        { metric: 'ratio: peer', op: '<=', value: 2.2, unit: 'x' },
        { metric: 'ours', op: '>=', value: 150, unit: 'op/s' },
      ],
    })
    expect(judge(between, 7, { ours: seven(200), peer: seven(100) }, {}).ok).toBe(true)
    expect(judge(between, 7, { ours: seven(300), peer: seven(100) }, {}).ok).toBe(false)
    expect(judge(between, 7, { ours: seven(140), peer: seven(100) }, {}).ok).toBe(false)
  })
})

describe('a case that cannot be judged', () => {
  it.each([Number.NaN, 0, -1])('refuses the sample %d', (bad) => {
    const samples = { ours: seven(1).with(2, bad), peer: seven(1) }
    expect(() => judge(rate(), 7, samples, {})).toThrow(RangeError)
  })
  it('is never ok', () => {
    const result = broken(rate({ floor: { peer: 1 } }), new Error('out of disk'))
    expect(result.ok).toBe(false)
    expect(caseText(result)).toContain('FAILED Error: out of disk')
  })
})

describe('the report', () => {
  const machine = { node: 'v20.19.0', cpus: 2, cpu: 'Some CPU', memoryMiB: 8192, platform: 'linux x64' }
  const options = { limit: { 'one transaction': contender }, floor: { peer: 2 } }
  const samples = { ours: seven(91_000), peer: seven(31_000), 'limit: one transaction': seven(190_000) }
  const cases = [judge(rate(options), 7, samples, {})]

  it('puts ours first and states every ratio', () => {
    const lines = caseText(cases[0]).split('\n')
    expect(lines[2]).toMatch(/^ {2}ours +91,000/)
    expect(lines[3]).toMatch(/^ {2}peer +31,000 +0\.0 % +2\.94x +2\.94-2\.94 +2\.00 +ok$/)
    expect(lines[4]).toMatch(/^ {2}limit: one transaction +190,000 .* 0\.48x/)
  })
  it('can be pasted into a README', () => {
    const text = markdown({ suite: 's', machine, versions: { peer: '1.0.0' }, cases })
    expect(text).toContain('| a, op/s | ours | 91,000 |')
    expect(text).toContain('Node v20.19.0, 2 x Some CPU, 8192 MiB, peer 1.0.0')
    const columns = text
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').length)
    expect(new Set(columns).size).toBe(1)
  })
})
