import { setTimeout as sleep } from 'node:timers/promises'

const TIMEOUT_MS = 5000
const INTERVAL_MS = 5

/** Retries an assertion until it passes. @throws what the last try threw, after 5 s */
export async function eventually(assertion: () => void | Promise<void>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS
  for (;;) {
    const isLast = performance.now() >= deadline
    try {
      return await assertion()
    } catch (error) {
      if (isLast) throw error
    }
    await sleep(INTERVAL_MS)
  }
}
