import type { HookEvent } from '../hooks.ts'
import { Control } from '../protocol.ts'
import type { BatchStep, Operation } from './operation.ts'

/** What hooks are told of an operation that succeeded: one event for each statement. */
export function hookEventsOf(operation: Operation, result: unknown): HookEvent[] {
  const { sql, params, table, payload, what } = operation
  if (sql !== undefined) return [{ sql, params, table, result }]
  if (what === Control.script) return [{ sql: String(payload), params, table, result: undefined }]
  if (what !== Control.batch) return []
  return (payload as readonly BatchStep[]).map((step, index) => ({
    sql: step.sql,
    params: step.params,
    table,
    result: (result as readonly unknown[])[index],
  }))
}
