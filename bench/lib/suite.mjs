import { MIN_PAIRS } from './statistics.mjs'

/**
 * One side of a comparison. Either `run` (the runner counts and times) or `measure` (it measures itself).
 *
 * @typedef {object} Contender
 * @property {() => unknown} [setup] Runs once, untimed; what it returns (or resolves to) is `ctx`.
 * @property {(ctx: any) => unknown} [before] Runs before every sample, untimed.
 * @property {(operations: number, ctx: any) => unknown} [run] Does that many operations; awaited when async.
 * @property {(ctx: any) => number | Promise<number>} [measure] Returns one sample in the unit of the case.
 * @property {(ctx: any) => unknown} [teardown] Runs once, also after a failure.
 *
 * @typedef {Contender & {times?: number}} Metric A contender with `measure`; `times` (default: the pairs of the
 *   case) is how often it is taken.
 *
 * @typedef {object} Limit
 * @property {string} metric A name of `metrics`, `ours`, another contender, or `ratio: <contender>`.
 * @property {'<=' | '>=' | '=='} op `<=` and `>=` judge the median, `==` every single sample.
 * @property {number} value
 * @property {string} unit Shown and stored; never converted.
 *
 * @typedef {object} CaseOptions
 * @property {string} id kebab-case, unique in the suite
 * @property {string} unit `.../s` (a rate), `ns` `µs` `ms` `s` (time per operation), or anything `measure` returns
 * @property {'higher' | 'lower'} [better] default: `higher` for rates, else `lower`
 * @property {Contender} [ours] may be missing when the case consists of metrics only
 * @property {Record<string, Contender>} [peers]
 * @property {Record<string, Contender>} [limit] the best that could be reached; reported as `limit: <name>`
 * @property {Record<string, number>} [floor] by contender, the lowest acceptable ratio, higher better for us
 * @property {Record<string, number>} [stretch] by contender, the ratio to aim at
 * @property {Record<string, Metric>} [metrics] numbers that only `limits` look at
 * @property {Limit[]} [limits]
 * @property {number} [pairs] rounds, at least 7; default 11
 * @property {number} [step] operations come in multiples of this; default 1
 * @property {number} [maxOperations] at most this many operations a sample; default Infinity
 *
 * @typedef {Required<Omit<CaseOptions, 'ours' | 'peers' | 'limit'>> & {contenders: Record<string, Contender>}} Case
 *
 * @typedef {object} Suite
 * @property {string} name the file's name
 * @property {Record<string, string>} versions of everything that took part
 * @property {Case[]} cases
 */

const SUITE_KEYS = ['name', 'versions', 'cases']
const CONTENDER_KEYS = ['setup', 'before', 'run', 'measure', 'teardown']
const TIME_UNITS = new Set(['ns', 'µs', 'ms', 's'])
const DEFAULTS = {
  floor: {},
  stretch: {},
  limits: [],
  metrics: {},
  pairs: 11,
  step: 1,
  maxOperations: Infinity,
}
const CASE_KEYS = ['id', 'unit', 'better', 'ours', 'peers', 'limit', ...Object.keys(DEFAULTS)]

/**
 * Checks a suite and completes its options.
 *
 * @param {{name: string, versions?: Record<string, string>, cases: Case[]}} options
 * @returns {Suite}
 * @throws {TypeError} when an option is unknown or wrong, or two cases share an id
 */
export function defineSuite(options) {
  knownKeys('suite', options, SUITE_KEYS)
  const ids = options.cases.map((each) => each.id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new TypeError(`Two cases of suite ${options.name} have the id ${twice}`)
  return { versions: {}, ...options }
}

/**
 * Checks one case and completes its options.
 *
 * @param {CaseOptions} options
 * @returns {Case}
 * @throws {TypeError} when an option is unknown or wrong, or a floor names no contender
 */
export function defineCase(options) {
  const { id, ours, peers = {}, limit = {}, ...given } = options
  knownKeys(`case ${id}`, options, CASE_KEYS)
  const contenders = { ...(ours && { ours }), ...peers }
  for (const [name, contender] of Object.entries(limit)) contenders[`limit: ${name}`] = contender
  const better = options.unit.endsWith('/s') ? 'higher' : 'lower'
  const result = { id, better, ...DEFAULTS, ...given, contenders }
  checkContenders(result)
  checkGoals(result)
  if (!Number.isInteger(result.pairs) || result.pairs < MIN_PAIRS) {
    throw new TypeError(`Expected pairs of case ${id} to be an integer >= ${MIN_PAIRS}, got ${result.pairs}`)
  }
  return result
}

/**
 * Whether the runner can turn a duration into this unit.
 *
 * @param {string} unit
 * @returns {boolean}
 */
function isTimed(unit) {
  return unit.endsWith('/s') || TIME_UNITS.has(unit)
}

/** @param {Case} options */
function checkContenders({ id, unit, contenders, metrics }) {
  const compared = Object.keys(contenders)
  if (compared.length > 0 && !contenders.ours) throw new TypeError(`Case ${id} has peers but no ours`)
  if (compared.length === 0 && Object.keys(metrics).length === 0) throw new TypeError(`Case ${id} is empty`)
  for (const [name, contender] of Object.entries(contenders)) {
    const what = `contender ${name} of case ${id}`
    knownKeys(what, contender, CONTENDER_KEYS)
    if (Boolean(contender.run) === Boolean(contender.measure)) {
      throw new TypeError(`Expected ${what} to have either run or measure`)
    }
    if (contender.run && !isTimed(unit)) {
      throw new TypeError(`Expected ${what} to measure itself: a duration cannot become ${unit}`)
    }
  }
  for (const [name, metric] of Object.entries(metrics)) {
    knownKeys(`metric ${name} of case ${id}`, metric, [...CONTENDER_KEYS, 'times'])
    if (!metric.measure) throw new TypeError(`Expected metric ${name} of case ${id} to have measure`)
  }
}

/** @param {Case} options */
function checkGoals({ id, contenders, metrics, floor, stretch, limits }) {
  const others = Object.keys(contenders).filter((name) => name !== 'ours')
  knownKeys(`floor of case ${id}`, floor, others)
  knownKeys(`stretch of case ${id}`, stretch, others)
  const measured = [
    ...Object.keys(metrics),
    ...Object.keys(contenders),
    ...others.map((name) => `ratio: ${name}`),
  ]
  for (const limit of limits) {
    knownKeys(`limit of case ${id}`, limit, ['metric', 'op', 'value', 'unit'])
    knownKeys(`limits of case ${id}`, { [limit.metric]: true }, measured)
    if (!['<=', '>=', '=='].includes(limit.op) || !Number.isFinite(limit.value)) {
      throw new TypeError(
        `Expected limit ${limit.metric} of case ${id} to have an op <=, >= or == and a value`,
      )
    }
  }
}

/**
 * @param {string} what
 * @param {object} given
 * @param {readonly string[]} known
 */
function knownKeys(what, given, known) {
  const unknown = Object.keys(given).find((key) => !known.includes(key))
  if (unknown === undefined) return
  throw new TypeError(`Unknown key ${unknown} in ${what}: known are ${known.join(', ') || 'none'}`)
}
