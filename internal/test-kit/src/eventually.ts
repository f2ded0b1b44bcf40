import { setTimeout as sleep } from 'node:timers/promises'

/** How {@link eventually} waits. */
export interface EventuallyOptions {
  /** @default 5000 */
  timeoutMs?: number
  /** The pause between two tries. @default 10 */
  intervalMs?: number
}

/**
 * Retries an assertion until it passes, and returns what it returned. An assertion fails by throwing, by rejecting,
 * or by returning false. It is tried at least once, and once more when the time is over.
 * @throws {unknown} what the last try threw
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 5000, intervalMs = 10 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const last = performance.now() >= deadline
    try {
      const result = await assertion()
      if (result !== false) return result
      if (last) throw new Error(`The condition did not become true within ${timeoutMs} ms`)
    } catch (error) {
      if (last) throw error
    }
    await sleep(intervalMs)
  }
}
