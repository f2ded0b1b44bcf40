import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * How long the event loop of this thread went without running while some work was done, sampled each millisecond (so
 * that an idle loop shows about 1 ms).
 *
 * @param {() => unknown} work
 * @returns {Promise<{p99Ms: number, maxMs: number}>}
 */
export async function loopDelayDuring(work) {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  await delay(5) // the first sample needs one before it
  await work()
  await delay(2) // a loop that stood still is noticed when it runs again
  histogram.disable()
  return { p99Ms: histogram.percentile(99) / 1e6, maxMs: histogram.max / 1e6 }
}

/**
 * The slowest of the writes that a caller makes, one every 10 ms, while a read is under way. The first is due with the
 * read: a write that the read kept from being made waited as well.
 *
 * @param {() => unknown} read
 * @param {() => unknown} write
 * @returns {Promise<number>} milliseconds
 */
export async function slowestWriteDuring(read, write) {
  let slowestMs = 0
  const reading = { isUnderWay: true }
  let due = performance.now()
  const done = (async () => read())().finally(() => (reading.isUnderWay = false))
  do {
    await write()
    slowestMs = Math.max(slowestMs, performance.now() - due)
    await delay(10)
    due = performance.now()
  } while (reading.isUnderWay)
  await done
  return slowestMs
}
