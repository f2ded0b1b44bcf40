/**
 * Work whose steps may each be a promise. The same generator runs at once over a synchronous driver, whose
 * transactions cannot wait, and awaited over any other.
 */
export type Steps<T> = Generator<unknown, T, unknown>

/** The value of one step: `const rows = yield* step(driver.query())`. */
export function* step<T>(value: T | Promise<T>): Steps<T> {
  return (yield value) as T
}

/** Runs steps none of which is a promise. */
export function runNow<T>(steps: Steps<T>): T {
  let next = steps.next()
  while (!next.done) next = steps.next(next.value)
  return next.value
}

/** Runs steps, awaiting each. */
export async function runAwaiting<T>(steps: Steps<T>): Promise<T> {
  let next = steps.next()
  while (!next.done) {
    let value: unknown
    try {
      value = await next.value
    } catch (error) {
      next = steps.throw(error)
      continue
    }
    next = steps.next(value)
  }
  return next.value
}
