import type { ColumnMeta } from '../table-meta.ts'

const SERIALS: Record<string, string> = { smallserial: 'smallint', serial: 'integer', bigserial: 'bigint' }

/** Types whose bare name means a length of one. */
const ONE_LONG: Record<string, string> = { char: 'text', character: 'text', bit: 'varbit' }

/** Types without an equality operator, or with one that means something else, and what to compare instead. */
const COMPARED_AS: Record<string, string> = {
  json: 'jsonb',
  xml: 'text',
  point: 'text',
  line: 'text',
  lseg: 'text',
  box: 'text',
  path: 'text',
  polygon: 'text',
  circle: 'text',
}

/**
 * The type by which values of a column arrive, without its length or precision: a cast to `varchar(5)` would cut
 * what is too long, where the assignment to the column refuses it.
 */
export function arrivalType({ sqlType }: ColumnMeta): string {
  if (sqlType.startsWith('"')) return sqlType
  const [, name = '', brackets = ''] = /^(.*?)((?:\[\d*\])*)$/.exec(sqlType) ?? []
  const bare = name.replaceAll(/ ?\([^)]*\)/g, '')
  return (SERIALS[bare] ?? ONE_LONG[bare] ?? bare) + brackets
}

/** The column's type with its length and precision: what an assignment makes of a value. */
export function fullType({ sqlType }: ColumnMeta): string {
  return SERIALS[sqlType] ?? sqlType
}

/** Whether values are arrays themselves, which `unnest` would take apart. */
export function isArray({ sqlType }: ColumnMeta): boolean {
  return sqlType.endsWith(']')
}

/** An expression of a column's type as one that `is distinct from` can compare. */
export function comparable(column: ColumnMeta, expression: string): string {
  const type = COMPARED_AS[arrivalType(column)]
  return type === undefined ? expression : `${expression}::${type}`
}
