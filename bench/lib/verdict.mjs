import { assertSample, median, pairedRatio, spread } from './statistics.mjs'

/**
 * @import {Case, Limit} from './suite.mjs'
 *
 * @typedef {Limit & {measured: number, ok: boolean}} LimitResult
 *
 * @typedef {object} CaseResult One entry of `cases` in the JSON; the format is described in bench/README.md.
 * @property {string} id
 * @property {string} unit
 * @property {number} pairs
 * @property {Record<string, number>} results by contender, the median sample
 * @property {Record<string, number>} spread by contender, the interquartile range as a share of the median
 * @property {Record<string, number>} ratios by other, ours against it, higher better for us
 * @property {Record<string, [number, number]>} interval by other, the 90 % interval of the ratio
 * @property {Record<string, number>} floor
 * @property {Record<string, number>} stretch
 * @property {LimitResult[]} limits
 * @property {boolean} ok
 * @property {string} [error] why the case has no result
 */

/**
 * Turns samples into a result, and judges it.
 *
 * @param {Case} benchCase
 * @param {number} pairs the rounds that were run
 * @param {Record<string, number[]>} samples by contender, from the same rounds
 * @param {Record<string, number[]>} metrics by metric
 * @returns {CaseResult}
 */
export function judge(benchCase, pairs, samples, metrics) {
  const { id, unit, better, floor, stretch } = benchCase
  const result = { id, unit, pairs, results: {}, spread: {}, ratios: {}, interval: {}, floor, stretch }
  for (const [name, values] of Object.entries(samples)) {
    for (const value of values) assertSample(value)
    result.results[name] = median(values)
    result.spread[name] = spread(values)
    if (name === 'ours') continue
    const { ratio, interval } = pairedRatio(samples.ours, values, better)
    result.ratios[name] = ratio
    result.interval[name] = interval
  }
  const limits = benchCase.limits.map((limit) => judgeLimit(limit, result, { ...samples, ...metrics }))
  const ok = Object.keys(floor).every((name) => meetsFloor(result, name)) && limits.every((each) => each.ok)
  return { ...result, limits, ok }
}

/**
 * The result of a case that threw: no figures, and not ok.
 *
 * @param {Case} benchCase
 * @param {unknown} cause
 * @returns {CaseResult}
 */
export function broken({ id, unit, pairs, floor, stretch }, cause) {
  const none = { results: {}, spread: {}, ratios: {}, interval: {}, limits: [] }
  const error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return { id, unit, pairs, ...none, floor, stretch, ok: false, error }
}

/**
 * A floor is missed only when noise cannot explain it: the upper bound of the interval lies below it.
 *
 * @param {Pick<CaseResult, 'floor' | 'interval'>} result
 * @param {string} name a contender with a floor
 * @returns {boolean}
 */
export function meetsFloor({ floor, interval }, name) {
  return interval[name][1] >= floor[name]
}

/**
 * @param {Limit} limit
 * @param {Pick<CaseResult, 'ratios'>} result
 * @param {Record<string, number[]>} samples
 * @returns {LimitResult}
 */
function judgeLimit(limit, { ratios }, samples) {
  const { metric, op, value } = limit
  const values = samples[metric] ?? [ratios[metric.replace(/^ratio: /, '')]]
  const measured = op === '==' ? (values.find((each) => each !== value) ?? value) : median(values)
  const ok = op === '<=' ? measured <= value : op === '>=' ? measured >= value : measured === value
  return { ...limit, measured, ok }
}
