import { describe } from 'vitest'
import { skipped, type Service } from './services.ts'

/**
 * `describe` for tests that need services: runs them unless SKIP_SERVICES names one of these, and then says on
 * stderr what it skips.
 * @example
 * describeWith('redis', 'the shared level', () => {
 *   it('answers', async () => {})
 * })
 */
export function describeWith(services: Service | readonly Service[], name: string, suite: () => void): void {
  const needed = typeof services === 'string' ? [services] : services
  const missing = needed.filter((service) => skipped(service))
  describe.skipIf(missing.length > 0)(name, suite)
}
