let sink = 0

/**
 * Deterministic work for the processor: twice the units take twice the time.
 *
 * @param {number} units of a few microseconds each
 */
export function work(units) {
  // A chain of multiplications in which each needs the one before: nothing to skip, reorder or vectorise.
  for (let unit = 0; unit < units; unit += 1) {
    for (let step = 0; step < 2000; step += 1) sink = (Math.imul(sink, 1664525) + 1013904223) | 0
  }
}
