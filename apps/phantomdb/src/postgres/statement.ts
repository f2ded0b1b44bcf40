import type { ClientBase, QueryArrayConfig } from 'pg'
import { CallError } from '../errors.ts'
import { jsonTypes } from './types.ts'

/** One SQL statement with its parameters, as JSON brought them. */
export interface Statement {
  readonly query: string
  readonly parameters?: readonly unknown[] | undefined
}

/** What a statement gave. */
export interface StatementResult {
  readonly columns: readonly string[]
  /** PostgreSQL's type OIDs, one a column. */
  readonly types: readonly number[]
  readonly rows: readonly (readonly unknown[])[]
  /** The count of PostgreSQL's command tag: rows read or written. */
  readonly rowCount: number
  /** Rows that an INSERT, UPDATE, DELETE or MERGE wrote, else 0. */
  readonly affectedRows: number
  /** PostgreSQL's command tag, such as `SELECT`. */
  readonly command: string
}

const writes = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])
const control =
  /^(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!.*\bto\b))\b/is
// White space, comments, and the separators PostgreSQL skips.
const leading = /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/

/**
 * Runs one statement through the extended protocol, which takes no second one.
 * @throws {CallError} `invalid_request` for BEGIN, COMMIT and ROLLBACK, which have calls of their own
 */
export async function runStatement(client: ClientBase, statement: Statement): Promise<StatementResult> {
  const text = statement.query
  if (text.includes('\0')) throw new CallError('invalid_request', 'The query holds a NUL character')
  if (control.test(text.replace(leading, ''))) {
    throw new CallError(
      'invalid_request',
      'Transactions begin and end through /transactions, not through SQL',
    )
  }
  const config: QueryArrayConfig & { queryMode: 'extended' } = {
    text,
    values: (statement.parameters ?? []).map(encodeParameter),
    rowMode: 'array',
    queryMode: 'extended',
    types: jsonTypes,
  }
  const result = await client.query(config)
  const rowCount = result.rowCount ?? 0
  return {
    columns: result.fields.map(({ name }) => name),
    types: result.fields.map(({ dataTypeID }) => dataTypeID),
    rows: result.rows,
    rowCount,
    affectedRows: writes.has(result.command) ? rowCount : 0,
    command: result.command ?? '',
  }
}

/** The rows as objects; of columns of the same name the last one wins. */
export function recordsOf({ columns, rows }: StatementResult): Record<string, unknown>[] {
  return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])))
}

// PostgreSQL's arrays have 6 dimensions at most; JSON may be nested deeper than a recursion can follow.
function encodeParameter(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    checkDimensions(value, 6)
    return value
  }
  return encodeJson(value)
}

/** JSON text for a json column. @throws {CallError} `invalid_request` when nested too deeply */
export function encodeJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    throw new CallError('invalid_request', 'A parameter is nested too deeply')
  }
}

function checkDimensions(items: readonly unknown[], left: number): void {
  if (left === 0) throw new CallError('invalid_request', 'An array has more than 6 dimensions')
  for (const item of items) {
    if (Array.isArray(item)) checkDimensions(item, left - 1)
    else if (typeof item === 'object') encodeJson(item)
  }
}
