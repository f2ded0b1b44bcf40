import type { Polars, Series } from './polars.ts'
import { quoted } from './rejects.ts'

/** What a column holds: text, exact integers, floating-point numbers, or true and false. */
export type ColumnType = 'string' | 'integer' | 'float' | 'boolean'

/** A value that does not fit, by its place in the column. */
export interface Misfit {
  readonly index: number
  readonly rule: string
  readonly message: string
}

/** A column of its type, with null at the place of each misfit. */
export interface Cast {
  readonly series: Series
  readonly misfits: readonly Misfit[]
}

/** The Polars type of a {@link ColumnType}. */
export function dtypeOf(pl: Polars, type: ColumnType): InstanceType<Polars['DataType']> {
  return { string: pl.String, integer: pl.Int64, float: pl.Float64, boolean: pl.Bool }[type]
}

/** Casts a column; text has no white space around it. Integers beyond 2^53 do not fit, as a number cannot hold them. */
export function castSeries(pl: Polars, series: Series, type: ColumnType): Cast {
  if (type === 'string') return { series: isText(pl, series) ? series : series.cast(pl.String), misfits: [] }
  if (type === 'boolean')
    return isText(pl, series) ? readBooleans(pl, series) : { series: series.cast(pl.Bool), misfits: [] }
  const cast = series.cast(dtypeOf(pl, type), false)
  const isExact = type === 'float' || (isSafe(cast.min()) && isSafe(cast.max()))
  if (isExact && cast.nullCount() === series.nullCount()) return { series: cast, misfits: [] }
  const before = series.toArray() as unknown[]
  return fromValues(pl, { name: series.name, type, before, after: cast.toArray() })
}

/** Whether a column is text. */
export function isText(pl: Polars, series: Series): boolean {
  return series.dtype.equals(pl.String)
}

/** A column of what a converter returned, with the misfits among it. */
export function fromValues(
  pl: Polars,
  {
    name,
    type,
    before,
    after,
  }: { name: string; type: ColumnType; before: readonly unknown[]; after: readonly unknown[] },
): Cast {
  const misfits: Misfit[] = []
  const values = after.map((value, index) => {
    const isMissing = value === null || value === undefined
    if (isMissing ? (before[index] ?? null) === null : fits(type, value)) return value ?? null
    const expected = type === 'integer' ? 'an integer' : `a ${type}`
    misfits.push({ index, rule: 'dtype', message: `Expected ${expected}, got ${quoted(before[index])}` })
    return null
  })
  return { series: pl.Series(name, values, dtypeOf(pl, type)), misfits }
}

function fits(type: ColumnType, value: unknown): boolean {
  if (type === 'integer') return Number.isSafeInteger(value)
  return typeof value === (type === 'float' ? 'number' : type)
}

function isSafe(value: unknown): boolean {
  return value === null || value === undefined || Number.isSafeInteger(Number(value))
}

const booleans = new Map([
  ...['true', 't', 'yes', 'y', '1'].map((text) => [text, true] as const),
  ...['false', 'f', 'no', 'n', '0'].map((text) => [text, false] as const),
])

function readBooleans(pl: Polars, series: Series): Cast {
  const before = series.toArray() as (string | null)[]
  const after = before.map((text) => (text === null ? null : booleans.get(text.toLowerCase())))
  return fromValues(pl, { name: series.name, type: 'boolean', before, after })
}
