import { CallError } from '../errors.ts'

/** A column's type as PostgreSQL takes it. */
export interface ColumnType {
  readonly sql: string
  readonly isText: boolean
  readonly isInteger: boolean
}

/** PhantomDB's types and their PostgreSQL types; those with a `(` take a length, or precision and scale. */
const types: Readonly<Record<string, string>> = {
  SMALLINT: 'smallint',
  INTEGER: 'integer',
  INT: 'integer',
  BIGINT: 'bigint',
  DECIMAL: 'numeric(',
  NUMERIC: 'numeric(',
  REAL: 'real',
  DOUBLE: 'double precision',
  'DOUBLE PRECISION': 'double precision',
  BOOLEAN: 'boolean',
  CHAR: 'char(',
  VARCHAR: 'varchar(',
  TEXT: 'text',
  BLOB: 'bytea',
  BYTEA: 'bytea',
  DATE: 'date',
  TIME: 'time',
  TIMESTAMP: 'timestamptz',
  TIMESTAMPTZ: 'timestamptz',
  JSON: 'jsonb',
  JSONB: 'jsonb',
  UUID: 'uuid',
}

/** Checks and translates a type such as `VARCHAR(100)`. @throws {CallError} `invalid_request` */
export function columnType(type: string): ColumnType {
  const [, name = '', size] =
    /^\s*([A-Za-z]+(?: [A-Za-z]+)?)\s*(\(\s*\d{1,8}\s*(?:,\s*\d{1,4}\s*)?\))?\s*$/.exec(type) ?? []
  const upper = name.toUpperCase()
  const found = Object.hasOwn(types, upper) ? types[upper] : undefined
  const takesSize = found?.endsWith('(') ?? false
  if (found === undefined || (size !== undefined && !takesSize)) {
    throw new CallError('invalid_request', `Expected a type, one of ${Object.keys(types).join(', ')}`)
  }
  const base = takesSize ? found.slice(0, -1) : found
  return {
    sql: base + (size ?? ''),
    isText: /^(?:char|varchar|text)/.test(base),
    isInteger: /^(?:smallint|integer|bigint)$/.test(base),
  }
}
