/** Every `code` a {@link TestKitError} can carry. */
export const TEST_KIT_ERROR_CODES = {
  /** A service's program is neither here nor to be had. */
  serviceMissing: 'ERR_SERVICE_MISSING',
  /** A program was found, but the service did not come up. */
  serviceFailed: 'ERR_SERVICE_FAILED',
  /** The service was given by URL, so that its process cannot be killed or restarted. */
  serviceExternal: 'ERR_SERVICE_EXTERNAL',
  /** SKIP_SERVICES names something that is no service. */
  unknownService: 'ERR_UNKNOWN_SERVICE',
  /** The package manager could not deliver. */
  download: 'ERR_DOWNLOAD',
  /** A child process ended before it reached the point waited for. */
  childEnded: 'ERR_CHILD_ENDED',
} as const

/** One of the values of {@link TEST_KIT_ERROR_CODES}. */
export type TestKitErrorCode = (typeof TEST_KIT_ERROR_CODES)[keyof typeof TEST_KIT_ERROR_CODES]

/** What the services and tools of this package reject with; `code` tells the situations apart. */
export class TestKitError extends Error {
  override readonly name = 'TestKitError'
  readonly code: TestKitErrorCode

  constructor(code: TestKitErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
