import { CallError } from '../errors.ts'
import type { Place } from './ast.ts'

/** The refusal of a condition; 42601 is PostgreSQL's code for wrong syntax. */
export function conditionError(message: string, at: Place, sqlstate = '42601'): CallError {
  const where = 'position' in at ? `at position ${at.position}` : `at ${at.path || 'the top'}`
  return new CallError('invalid_condition', `Condition refused ${where}: ${message}`, {
    sqlstate,
    details: { ...at },
  })
}
