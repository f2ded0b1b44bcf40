import type { Condition } from './ast.ts'
import { conditionLimits } from './ast.ts'
import { conditionError } from './fail.ts'
import { parseJson } from './parse-json.ts'
import { parseText } from './parse-text.ts'

/**
 * Parses a condition in either form: text, JSON in a text (it starts with `{`), or an object.
 * @throws {CallError} `invalid_condition`, also for an empty one
 */
export function parseCondition(source: unknown): Condition {
  if (typeof source !== 'string') return parseJson(source)
  const trimmed = source.trim()
  if (trimmed === '') throw conditionError('it is empty', { position: 1 })
  if (!trimmed.startsWith('{')) return parseText(source)
  if (Buffer.byteLength(source) > conditionLimits.bytes) {
    throw conditionError(`longer than ${conditionLimits.bytes} bytes`, { path: '' })
  }
  return parseJson(jsonOf(trimmed))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw conditionError('it is not JSON', { path: '' })
  }
}
