import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'

/** The services that tests may need, by the names SKIP_SERVICES takes. */
export const SERVICES = ['redis', 'postgres', 'chromium', 'strace'] as const

/** One of {@link SERVICES}. */
export type Service = (typeof SERVICES)[number]

/**
 * Reads SKIP_SERVICES: a comma-separated list of services to do without.
 * @throws {TestKitError} ERR_UNKNOWN_SERVICE when it names anything else
 */
export function skippedServices(
  list: string | undefined = process.env['SKIP_SERVICES'],
): ReadonlySet<Service> {
  const names = (list ?? '').split(',').map((name) => name.trim())
  return new Set(names.filter((name) => name !== '').map(toService))
}

/**
 * Tells whether the tests that need a service are to be skipped, and says so on stderr, once for each test file.
 * @throws {TestKitError} ERR_UNKNOWN_SERVICE when SKIP_SERVICES holds an unknown name
 */
export function skipped(service: Service): boolean {
  const skip = skippedServices().has(service)
  if (skip && !announced.has(service)) {
    announced.add(service)
    process.stderr.write(`SKIPPED: ${service} (SKIP_SERVICES)\n`)
  }
  return skip
}

// A module lives as long as one test file.
const announced = new Set<Service>()

function toService(name: string): Service {
  const service = SERVICES.find((known) => known === name)
  if (service) return service
  throw new TestKitError(
    TEST_KIT_ERROR_CODES.unknownService,
    `SKIP_SERVICES names ${name}, which is no service. The services are ${SERVICES.join(', ')}`,
  )
}
