import { UnsupportedValueError } from './errors.ts'
import type { OnError } from './reporter.ts'

/**
 * The form in which a backend holds a value, as `convert` makes it. Whatever `convert` throws is reported, and gives
 * `undefined`: a value that cannot be stored still reaches its caller.
 */
export function storable<T>(convert: () => T, report: OnError): T | undefined {
  try {
    return convert()
  } catch (error) {
    // Anything else comes from the value, such as a getter that throws, or from its size.
    const known = error instanceof UnsupportedValueError
    report(known ? error : new UnsupportedValueError('content that cannot be copied', { cause: error }))
    return undefined
  }
}
