import type { Timing } from './backend.ts'

/** What {@link withinMs} gives when the time is over. */
export const LATE: unique symbol = Symbol('late')

/** What `running` gives, or {@link LATE}. What runs goes on; its failure is then left to the caller. */
export async function withinMs<T>(running: Promise<T>, timeoutMs: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), timeoutMs)
  })
  try {
    return await Promise.race([running, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Whether a value should be computed again now, before it expires. Callers throw dice, so that of many some begin early
 * and few at the same time: XFetch of Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede
 * Prevention" (2015), with beta 1.
 */
export function isDue({ freshUntil, computeMs }: Timing): boolean {
  return performance.now() - computeMs * Math.log(Math.random()) >= freshUntil
}
