import { machine } from './machine.mjs'
import { sampleContenders, sampleMetric } from './sampling.mjs'
import { randomFrom } from './statistics.mjs'
import { broken, judge } from './verdict.mjs'

/**
 * @import {Case, Suite} from './suite.mjs'
 * @import {CaseResult} from './verdict.mjs'
 *
 * @typedef {object} RunOptions
 * @property {number} seed of the contenders' order
 * @property {number} [pairs] instead of each case's own
 * @property {string[]} [ids] only these cases
 * @property {number} [minSampleMs] the least duration of a timed sample; default 50
 * @property {(id: string, done: number, pairs: number) => void} [onRound]
 * @property {(result: CaseResult) => void} [onCase]
 *
 * @typedef {object} SuiteResult The JSON of a run.
 * @property {string} suite
 * @property {string} node
 * @property {number} cpus
 * @property {import('./machine.mjs').Machine} machine
 * @property {Record<string, string>} versions
 * @property {number} seed
 * @property {CaseResult[]} cases
 */

/**
 * Runs the cases one after the other. A case that throws is reported with its error and does not stop the others.
 *
 * @param {Suite} suite
 * @param {RunOptions} options
 * @returns {Promise<SuiteResult>}
 */
export async function runSuite(suite, options) {
  const random = randomFrom(options.seed)
  const cases = []
  for (const benchCase of suite.cases) {
    if (options.ids && !options.ids.includes(benchCase.id)) continue
    const result = await runCase(benchCase, random, options)
    options.onCase?.(result)
    cases.push(result)
  }
  const { node, cpus, ...rest } = machine()
  return {
    suite: suite.name,
    node,
    cpus,
    machine: { node, cpus, ...rest },
    versions: suite.versions,
    seed: options.seed,
    cases,
  }
}

/**
 * @param {Case} benchCase
 * @param {() => number} random
 * @param {RunOptions} options
 */
async function runCase(benchCase, random, options) {
  const pairs = options.pairs ?? benchCase.pairs
  try {
    const samples = await sampleContenders(benchCase, {
      pairs,
      random,
      minSampleMs: options.minSampleMs,
      onRound: (done) => options.onRound?.(benchCase.id, done, pairs),
    })
    const metrics = {}
    for (const [name, metric] of Object.entries(benchCase.metrics)) {
      metrics[name] = await sampleMetric(metric, metric.times ?? pairs)
    }
    return judge(benchCase, pairs, samples, metrics)
  } catch (error) {
    return broken(benchCase, error)
  }
}
