import { findPostgresBinaries } from '@outrider/embedded-postgres'
import { findChromium } from './chromium-program.ts'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { findRedis } from './redis-program.ts'
import { SERVICES, skippedServices, type Service } from './services.ts'

const preparations: Record<Service, () => Promise<unknown>> = {
  redis: async () => process.env['REDIS_URL'] || findRedis(),
  postgres: async () => process.env['TEST_DATABASE_URL'] || findPostgresBinaries(),
  chromium: findChromium,
  strace: async () => {}, // small, for Linux only: fetched by the suite that uses it
}

/**
 * Makes the programs of services ready ahead of the tests, downloading what is missing. Services named in
 * SKIP_SERVICES are left out.
 * @throws {TestKitError} ERR_SERVICE_MISSING, one for all services that cannot be had
 */
export async function prepareServices(names: readonly Service[] = SERVICES): Promise<void> {
  const skipped = skippedServices()
  const wanted = names.filter((name) => !skipped.has(name))
  const results = await Promise.allSettled(wanted.map((name) => preparations[name]()))
  const failures = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }): unknown => reason)
  if (failures.length === 0) return
  const messages = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)))
  throw new TestKitError(TEST_KIT_ERROR_CODES.serviceMissing, messages.join('\n\n'), {
    cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
  })
}
