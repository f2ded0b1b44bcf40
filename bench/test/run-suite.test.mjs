import { describe, expect, it } from 'vitest'
import { runSuite } from '../lib/run-suite.mjs'
import { defineCase, defineSuite } from '../lib/suite.mjs'

const suiteOf = (...cases) =>
  defineSuite({ name: 'test', versions: { peer: '1.0.0' }, cases: cases.map(defineCase) })
const run = (suite, options) => runSuite(suite, { seed: 1, pairs: 7, minSampleMs: 1, ...options })
const pause = () => new Promise((resolve) => setTimeout(resolve, 2))

describe('a run', () => {
  it('takes one sample of every contender in each round, in changing order', async () => {
    const order = []
    const named = (name) => ({ measure: () => order.push(name) })
    await run(suiteOf({ id: 'a', unit: 'x', ours: named('ours'), peers: { p: named('p'), q: named('q') } }))
    const rounds = order.slice(6)
    expect(rounds).toHaveLength(21)
    const orders = new Set()
    for (let start = 0; start < 21; start += 3) {
      const round = rounds.slice(start, start + 3)
      expect(new Set(round)).toEqual(new Set(['ours', 'p', 'q']))
      orders.add(round.join())
    }
    expect(orders.size).toBeGreaterThan(1)
  })
  it('warms up before it counts', async () => {
    let calls = 0
    const ours = { measure: () => (calls++ < 2 ? 1000 : 10) }
    const { cases } = await run(suiteOf({ id: 'a', unit: 'MiB', ours }))
    expect(cases[0]).toMatchObject({ results: { ours: 10 }, spread: { ours: 0 } })
  })
  it('grows a batch until a sample is long enough, in whole steps', async () => {
    const sizes = []
    const ours = { run: (operations) => void sizes.push(operations) }
    await run(suiteOf({ id: 'a', unit: 'op/s', ours, step: 100, maxOperations: 5000 }), { minSampleMs: 1e6 })
    expect(sizes[0]).toBe(100)
    expect(sizes.at(-1)).toBe(5000)
    expect(sizes.every((size) => size % 100 === 0)).toBe(true)
  })
  it('waits for asynchronous work', async () => {
    const ours = { run: pause }
    const { cases } = await run(suiteOf({ id: 'a', unit: 'ms', ours, maxOperations: 1 }))
    expect(cases[0].results.ours).toBeGreaterThan(1)
  })
  it('prepares every sample, and gives each contender its own context', async () => {
    const events = []
    const ours = {
      setup: async () => ({ name: 'own' }),
      before: (ctx) => void events.push(`before ${ctx.name}`),
      measure: (ctx) => events.push(`measure ${ctx.name}`),
      teardown: (ctx) => void events.push(`teardown ${ctx.name}`),
    }
    await run(suiteOf({ id: 'a', unit: 'x', ours }))
    expect(events).toHaveLength(2 * 9 + 1)
    expect(events.slice(0, 2)).toEqual(['before own', 'measure own'])
    expect(events.at(-1)).toBe('teardown own')
  })
  it('takes metrics as often as they ask for', async () => {
    let count = 0
    const metrics = { heap: { measure: () => ++count, times: 1 } }
    const limits = [{ metric: 'heap', op: '==', value: 1, unit: 'MiB' }]
    const { cases } = await run(suiteOf({ id: 'a', unit: 'MiB', metrics, limits }))
    expect(count).toBe(1)
    expect(cases[0].limits[0]).toEqual({ ...limits[0], measured: 1, ok: true })
  })
  it('tears down and goes on after a case that throws', async () => {
    let closed = 0
    const teardown = () => void (closed += 1)
    const broken = {
      setup: () => {
        throw new Error('no disk')
      },
    }
    const { cases } = await run(
      suiteOf(
        {
          id: 'a',
          unit: 'x',
          ours: { measure: () => 1, teardown },
          peers: { p: { ...broken, measure: () => 1 } },
        },
        { id: 'b', unit: 'x', ours: { measure: () => 1 } },
      ),
    )
    expect(cases.map((each) => each.ok)).toEqual([false, true])
    expect(cases[0].error).toContain('no disk')
    expect(closed).toBe(1)
  })
  it('refuses samples that make no ratio', async () => {
    const { cases } = await run(suiteOf({ id: 'a', unit: 'x', ours: { measure: () => 0 } }))
    expect(cases[0].error).toContain('got 0')
  })
  it('runs only the cases asked for, and says where it ran', async () => {
    const ours = { measure: () => 1 }
    const result = await run(suiteOf({ id: 'a', unit: 'x', ours }, { id: 'b', unit: 'x', ours }), {
      ids: ['b'],
    })
    expect(result.cases.map((each) => each.id)).toEqual(['b'])
    expect(result).toMatchObject({
      suite: 'test',
      node: process.version,
      versions: { peer: '1.0.0' },
      seed: 1,
    })
    expect(result.machine.cpus).toBeGreaterThan(0)
  })
})

describe('a definition', () => {
  const ours = { run: () => {} }

  it.each([
    [{ unit: 'op/s', ours, florr: {} }, 'Unknown key florr'],
    [{ unit: 'op/s', ours, floor: { nobody: 1 } }, 'Unknown key nobody in floor of case a'],
    [
      { unit: 'op/s', ours, limits: [{ metric: 'none', op: '<=', value: 1, unit: 'ms' }] },
      'Unknown key none',
    ],
    [{ unit: 'op/s', ours, limits: [{ metric: 'ours', op: '<', value: 1, unit: 'ms' }] }, 'to have an op'],
    [{ unit: 'op/s', ours, pairs: 6 }, 'an integer >= 7, got 6'],
    [{ unit: 'op/s', ours: {} }, 'either run or measure'],
    [{ unit: 'op/s', ours: { run: () => {}, measure: () => 1 } }, 'either run or measure'],
    [{ unit: 'MiB', ours }, 'a duration cannot become MiB'],
    [{ unit: 'op/s', peers: { p: ours } }, 'peers but no ours'],
    [{ unit: 'op/s' }, 'empty'],
    [{ unit: 'op/s', metrics: { m: ours } }, 'to have measure'],
  ])('%j is refused', (options, message) => {
    expect(() => defineCase({ id: 'a', ...options })).toThrow(message)
  })
  it('refuses two cases of one id', () => {
    const each = defineCase({ id: 'a', unit: 'op/s', ours })
    expect(() => defineSuite({ name: 's', cases: [each, each] })).toThrow('the id a')
  })
})
