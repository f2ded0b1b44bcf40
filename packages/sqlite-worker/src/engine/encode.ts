import { Control, integers, Shape, type BatchMessage } from '../protocol.ts'
import type { BatchStep, Operation } from './operation.ts'
import type { StatementIds } from './statement-ids.ts'

export interface BatchTraits {
  readonly leased: boolean
  readonly streamed: boolean
  readonly timed: boolean
}

/** Writes operations as one message. An operation that was given up meanwhile is sent as nothing, to keep its place. */
export function encodeBatch(
  operations: readonly Operation[],
  ids: StatementIds,
  traits: BatchTraits,
): BatchMessage {
  const define: (number | string)[] = []
  const forget: number[] = []
  const values: unknown[] = []
  const codes = integers(2 * operations.length)
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i] as Operation
    const { what, params } = operation
    if (operation.isSettled) codes[2 * i] = Control.nothing
    else if (typeof what === 'string') {
      codes[2 * i] = ids.idOf(what, operation.int64, define, forget)
      codes[2 * i + 1] = encodeParams(params, values)
    } else {
      codes[2 * i] = what
      codes[2 * i + 1] = Shape.payload
      values.push(what === Control.batch ? stepsOf(operation, ids, define, forget) : operation.payload)
    }
  }
  return { type: 'batch', ...traits, define, forget, operations: codes, values }
}

function encodeParams(params: Operation['params'], values: unknown[]): number {
  if (params === undefined) return 0
  if (!Array.isArray(params)) {
    values.push(params)
    return Shape.named
  }
  if (Array.isArray(params[0])) {
    values.push(params)
    return Shape.sets
  }
  for (let i = 0; i < params.length; i++) values.push(params[i])
  return params.length
}

function stepsOf(
  { payload }: Operation,
  ids: StatementIds,
  define: (number | string)[],
  forget: number[],
): unknown[] {
  const steps: unknown[] = []
  for (const { sql, params, int64 } of payload as BatchStep[])
    steps.push(ids.idOf(sql, int64, define, forget), params)
  return steps
}
