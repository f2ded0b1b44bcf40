import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { shuffled } from './statistics.mjs'

/** @import {Case, Contender, Metric} from './suite.mjs' */

/** A shorter sample is mostly timer, scheduler and garbage-collection noise. */
const MIN_SAMPLE_MS = 50
/** How long a contender runs before it counts, until the optimising compiler is done: twenty samples, or this if less. */
const MAX_WARM_UP_MS = 1000
/** Aim above the least duration, so that ordinary variance does not fall below it. */
const HEADROOM = 1.3
const MAX_GROWTH = 10
const UNIT_MS = { ns: 1e6, µs: 1e3, ms: 1, s: 1e-3 }

/**
 * @typedef {object} SamplingOptions
 * @property {number} pairs rounds, one sample of every contender in each
 * @property {() => number} random shuffles the contenders in each round
 * @property {number} [minSampleMs] default 50
 * @property {(done: number) => void} [onRound]
 */

/**
 * Takes interleaved samples: in each round one of every contender, in a new order, after all were warmed up.
 *
 * @param {Case} benchCase
 * @param {SamplingOptions} options
 * @returns {Promise<Record<string, number[]>>} by contender, one sample per round, in the unit of the case
 */
export async function sampleContenders(benchCase, options) {
  const { pairs, random, minSampleMs = MIN_SAMPLE_MS, onRound } = options
  /** @type {{name: string, sampler: Sampler}[]} */
  const entered = []
  const samples = {}
  try {
    for (const [name, contender] of Object.entries(benchCase.contenders)) {
      const sampler = new Sampler(contender, benchCase, minSampleMs)
      entered.push({ name, sampler })
      samples[name] = []
      await sampler.setup()
      await sampler.warmUp()
    }
    for (let round = 0; round < pairs; round += 1) {
      for (const { name, sampler } of shuffled(entered, random)) samples[name].push(await sampler.sample())
      onRound?.(round + 1)
    }
  } finally {
    for (const { sampler } of entered) await sampler.teardown()
  }
  return samples
}

/**
 * Takes the numbers of a metric, one after the other.
 *
 * @param {Metric} metric
 * @param {number} times
 * @returns {Promise<number[]>}
 */
export async function sampleMetric(metric, times) {
  const sampler = new Sampler(metric, { unit: '', step: 1, maxOperations: Infinity }, 0)
  const samples = []
  try {
    await sampler.setup()
    while (samples.length < times) samples.push(await sampler.sample())
  } finally {
    await sampler.teardown()
  }
  return samples
}

/**
 * Runs a full garbage collection now; for metrics that look at the heap.
 *
 * @public used by suites
 */
export function collectGarbage() {
  exposedGc()()
}

/**
 * Collects young objects. A full collection also throws optimised code away, all that refers to an object that died:
 * it takes some programs a second to have it again, and in a server that happens rarely, not before each sample.
 */
function collectYoungGarbage() {
  exposedGc()({ type: 'minor' })
}

/** @returns {(options?: { type: 'minor' | 'major' }) => void} */
function exposedGc() {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
}

/** One contender with its context and the size of its batch. */
class Sampler {
  /** @type {Contender} */
  #contender
  #case
  #minSampleMs
  #ctx
  #ready = false
  #operations

  /**
   * @param {Contender} contender
   * @param {Pick<Case, 'unit' | 'step' | 'maxOperations'>} benchCase
   * @param {number} minSampleMs
   */
  constructor(contender, benchCase, minSampleMs) {
    this.#contender = contender
    this.#case = benchCase
    this.#minSampleMs = minSampleMs
    this.#operations = benchCase.step
  }

  async setup() {
    this.#ctx = await this.#contender.setup?.()
    this.#ready = true
  }

  async teardown() {
    if (this.#ready) await this.#contender.teardown?.(this.#ctx)
  }

  /** Finds the batch size, and lets the just-in-time compiler see the code: ends with two long enough samples. */
  async warmUp() {
    const end = performance.now() + Math.min(MAX_WARM_UP_MS, 20 * this.#minSampleMs)
    await this.sample()
    await this.sample()
    while (this.#contender.run && performance.now() < end) await this.sample()
  }

  /** Never shorter than the least duration, unless `maxOperations` forbids more work. */
  async sample() {
    await this.#contender.before?.(this.#ctx)
    // What the previous contender left behind is not this one's to collect.
    collectYoungGarbage()
    if (this.#contender.measure) return this.#contender.measure(this.#ctx)
    await this.#time() // untimed: the caches are still the previous contender's
    await this.#contender.before?.(this.#ctx)
    const elapsedMs = await this.#time()
    if (elapsedMs >= this.#minSampleMs || !this.#grow(elapsedMs)) return this.#inUnit(elapsedMs)
    return this.sample()
  }

  async #time() {
    const start = performance.now()
    const running = this.#contender.run(this.#operations, this.#ctx)
    // Synchronous work is not awaited: a turn of the microtask queue is no part of it.
    if (isThenable(running)) await running
    return performance.now() - start
  }

  /** @param {number} elapsedMs */
  #grow(elapsedMs) {
    const { step, maxOperations } = this.#case
    const factor = Math.min(MAX_GROWTH, (HEADROOM * this.#minSampleMs) / elapsedMs)
    const wanted = Math.ceil((this.#operations * factor) / step) * step
    const next = Math.min(wanted, Math.max(step, maxOperations))
    const grew = next > this.#operations
    this.#operations = next
    return grew
  }

  /** @param {number} elapsedMs */
  #inUnit(elapsedMs) {
    const { unit } = this.#case
    if (unit.endsWith('/s')) return (this.#operations / elapsedMs) * 1e3
    return (elapsedMs / this.#operations) * UNIT_MS[unit]
  }
}

/**
 * @param {any} value
 * @returns {value is PromiseLike<unknown>}
 */
function isThenable(value) {
  return typeof value?.then === 'function'
}
