import {
  castSeries,
  dtypeOf,
  fromValues,
  isText,
  type Cast,
  type ColumnType,
  type Misfit,
} from './casting.ts'
import type { Frame, Polars, Series } from './polars.ts'
import type { Reject } from './rejects.ts'

/** Turns the text of one value into what the column holds; what it throws rejects the row. */
export type ValueConverter = (text: string) => string | number | boolean | null | undefined

/** Turns a whole column of text into one of the column's type. */
export interface SeriesConverter {
  series(series: Series, pl: Polars): Series
}

/** What a {@link CleaningDF} works with. */
export interface CleaningTools {
  readonly pl: Polars
  /** Gets the rejected rows. @default forgets them */
  readonly onRejects?: (rejects: readonly Reject[]) => void
}

/** Columns that say where a row comes from, while it is being cleaned. */
export const originColumns = { record: '#record', line: '#line' } as const

type Columns = readonly string[]

/**
 * The rules by which raw rows become clean ones: name them in statics, or in `getX()` methods. {@link clean} applies them
 * step by step, and each step may be overridden. A bad value rejects its row, and no other.
 *
 * @example
 * class BooksCleaningDF extends CleaningDF {
 *   static override renameMap = { goodreadsBookId: 'goodreads_book_id', title: ['title', 'name'] }
 *   static override colDtypeMap = { goodreadsBookId: 'integer', title: 'string' } as const
 *   static override noNullCols = ['goodreadsBookId']
 * }
 */
export class CleaningDF {
  /** Standard names and what the source calls them: one name, or several of which the first found counts. */
  static renameMap: Readonly<Record<string, string | Columns>> = {}
  /** The columns, in their order, and what they hold. All others of the source are left out. */
  static colDtypeMap: Readonly<Record<string, ColumnType>> = {}
  /** Texts that stand in for missing values. */
  static fillNullMap: Readonly<Record<string, string | number | boolean>> = {}
  /** Decimals to which floats are rounded. */
  static colPrecisionMap: Readonly<Record<string, number>> = {}
  /** How the text of a column is read, where a cast to its type is not enough. Missing values are left alone. */
  static colConverterMap: Readonly<Record<string, ValueConverter | SeriesConverter>> = {}
  /** Rows in which ALL columns of one of these subsets are missing are dropped. */
  static dropNullSubsets: readonly Columns[] = []
  /** Rows are dropped that have the same values in one of these subsets as an earlier row; all missing is no value. */
  static uniqueSubsets: readonly Columns[] = []
  /** The order of the rows within a batch, by the first column, then the next; missing values come last. */
  static sortCols: readonly (readonly [column: string, order: 'asc' | 'desc'])[] = []
  /** Columns in which a missing value rejects the row. */
  static noNullCols: Columns = []

  /** The rows of the current batch. */
  df: Frame
  readonly pl: Polars
  readonly #onRejects: NonNullable<CleaningTools['onRejects']>
  readonly #seen: Set<string>[] = []
  #dropped = 0

  constructor({ pl, onRejects = () => {} }: CleaningTools) {
    this.pl = pl
    this.df = pl.DataFrame([])
    this.#onRejects = onRejects
  }

  get #statics(): typeof CleaningDF {
    return this.constructor as typeof CleaningDF
  }

  getRenameMap(): Readonly<Record<string, string | Columns>> {
    return this.#statics.renameMap
  }

  getColDtypeMap(): Readonly<Record<string, ColumnType>> {
    return this.#statics.colDtypeMap
  }

  getFillNullMap(): Readonly<Record<string, string | number | boolean>> {
    return this.#statics.fillNullMap
  }

  getColPrecisionMap(): Readonly<Record<string, number>> {
    return this.#statics.colPrecisionMap
  }

  getColConverterMap(): Readonly<Record<string, ValueConverter | SeriesConverter>> {
    return this.#statics.colConverterMap
  }

  getDropNullSubsets(): readonly Columns[] {
    return this.#statics.dropNullSubsets
  }

  getUniqueSubsets(): readonly Columns[] {
    return this.#statics.uniqueSubsets
  }

  getSortCols(): readonly (readonly [column: string, order: 'asc' | 'desc'])[] {
    return this.#statics.sortCols
  }

  getNoNullCols(): Columns {
    return this.#statics.noNullCols
  }

  /** Rows dropped so far, as empty or as duplicates. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Cleans one batch of raw rows, and returns its columns in their order. Duplicates are found across the batches of one
   * instance.
   */
  clean(df: Frame): Frame {
    this.df = df
    this.renameCols()
    this.fillNulls()
    this.standardConvertCols()
    this.customConvertCols()
    this.dropNulls()
    this.dropDuplicates()
    this.sortRows()
    this.check()
    return this.df.select(...this.columns)
  }

  /** The standard names of the columns, in their order. @throws {TypeError} when there are none */
  get columns(): string[] {
    const columns = Object.keys(this.getColDtypeMap())
    if (columns.length === 0) throw new TypeError(`${this.constructor.name} names no columns in colDtypeMap`)
    return columns
  }

  /** What the source may call a column. */
  rawNames(column: string): Columns {
    return [this.getRenameMap()[column] ?? column].flat()
  }

  /** Step 1: the columns get their standard names; others are left out. */
  renameCols(): void {
    const found = this.df.columns
    const series = this.columns.map((column) => {
      const raw = this.rawNames(column).find((name) => found.includes(name))
      if (raw === undefined)
        throw new TypeError(`The rows have no column ${this.rawNames(column).join(' or ')}`)
      return this.df.getColumn(raw).rename(column)
    })
    const origins = Object.values(originColumns).map((name) =>
      found.includes(name) ? this.df.getColumn(name) : this.#origin(name),
    )
    this.df = this.pl.DataFrame([...series, ...origins])
  }

  /** Step 2: blank text is missing, and what is missing gets the value that stands in for it. */
  fillNulls(): void {
    const fills = this.getFillNullMap()
    this.#replace(this.columns, (series) => {
      const fill = fills[series.name]
      if (!isText(this.pl, series)) return fill === undefined ? series : series.fillNull(fill as never)
      const text = fill === undefined ? null : String(fill)
      const values = series.toArray() as (string | null)[]
      const filled = values.map((value) => (value === null || value.trim() === '' ? text : value))
      return this.pl.Series(series.name, filled, this.pl.String)
    })
  }

  /** Step 3: text loses the white space around it, and columns without a converter get their types; floats are rounded. */
  standardConvertCols(): void {
    const converters = this.getColConverterMap()
    const precisions = this.getColPrecisionMap()
    this.#convert(this.columns, (raw, type) => {
      const series = isText(this.pl, raw) ? raw.str.strip() : raw
      if (converters[raw.name]) return { series, misfits: [] }
      const cast = castSeries(this.pl, series, type)
      const decimals = precisions[raw.name]
      return decimals === undefined ? cast : { ...cast, series: cast.series.round(decimals) }
    })
  }

  /** Step 4: the converters. */
  customConvertCols(): void {
    const converters = this.getColConverterMap()
    this.#convert(Object.keys(converters), (series, type) => {
      const converter = converters[series.name]
      if (typeof converter === 'object') return castSeries(this.pl, converter.series(series, this.pl), type)
      return converter ? this.#convertValues(series, type, converter) : { series, misfits: [] }
    })
  }

  /** Step 5: rows go in which all columns of a subset are missing. */
  dropNulls(): void {
    for (const subset of this.getDropNullSubsets()) {
      const columns = subset.map((name) => this.df.getColumn(name).toArray() as unknown[])
      this.#drop((row) => columns.length > 0 && columns.every((column) => (column[row] ?? null) === null))
    }
  }

  /** Step 6: of rows that are the same in a subset, the first stays. */
  dropDuplicates(): void {
    for (const [index, subset] of this.getUniqueSubsets().entries()) {
      const seen = (this.#seen[index] ??= new Set())
      const columns = subset.map((name) => this.df.getColumn(name).toArray() as unknown[])
      this.#drop((row) => {
        const values = columns.map((column) => column[row] ?? null)
        if (values.every((value) => value === null)) return false
        const key = JSON.stringify(values)
        const isDuplicate = seen.has(key)
        seen.add(key)
        return isDuplicate
      })
    }
  }

  /** Step 7: the rows in their order. Equal ones stay as they came. */
  sortRows(): void {
    for (const [column, order] of this.getSortCols().toReversed())
      this.df = this.df.sort(column, order === 'desc', true, true)
  }

  /** Step 8: rejects rows with missing values in `noNullCols` and with floats that are no finite number. */
  check(): void {
    const types = this.getColDtypeMap()
    for (const column of this.columns) {
      const { dtype } = this.df.getColumn(column)
      const wanted = dtypeOf(this.pl, types[column] ?? 'string')
      if (!dtype.equals(wanted))
        throw new TypeError(
          `Expected ${column} to be ${String(wanted)} after cleaning, it is ${String(dtype)}`,
        )
    }
    const failures = this.columns.flatMap((column) => this.#failuresOf(column, types[column]))
    this.#reject(failures)
  }

  #failuresOf(column: string, type: ColumnType | undefined): (Misfit & { column: string })[] {
    const series = this.df.getColumn(column)
    const needsValue = this.getNoNullCols().includes(column) && series.nullCount() > 0
    if (!needsValue && type !== 'float') return []
    const failures: (Misfit & { column: string })[] = []
    for (const [index, value] of (series.toArray() as unknown[]).entries()) {
      if (value === null) {
        if (needsValue) failures.push({ index, column, rule: 'no-null', message: 'Expected a value' })
      } else if (type === 'float' && !Number.isFinite(value))
        failures.push({ index, column, rule: 'nan', message: 'Expected a finite number' })
    }
    return failures
  }

  #convertValues(series: Series, type: ColumnType, converter: ValueConverter): Cast {
    const misfits: Misfit[] = []
    const before = series.toArray() as (string | null)[]
    const hidden = [...before]
    const after = before.map((text, index) => {
      if (text === null) return null
      try {
        const value = converter(text)
        if (value === null || value === undefined) hidden[index] = null
        return value
      } catch (error) {
        hidden[index] = null
        const message = error instanceof Error ? error.message : String(error)
        misfits.push({ index, rule: 'converter', message })
        return null
      }
    })
    const cast = fromValues(this.pl, { name: series.name, type, before: hidden, after })
    return { series: cast.series, misfits: [...misfits, ...cast.misfits] }
  }

  #convert(columns: Columns, convert: (series: Series, type: ColumnType) => Cast): void {
    const types = this.getColDtypeMap()
    const failures: (Misfit & { column: string })[] = []
    this.#replace(columns, (series) => {
      const cast = convert(series, types[series.name] ?? 'string')
      failures.push(...cast.misfits.map((misfit) => ({ ...misfit, column: series.name })))
      return cast.series
    })
    this.#reject(failures)
  }

  #replace(columns: Columns, replace: (series: Series) => Series): void {
    if (columns.length === 0) return
    const changed = columns.map((column) => replace(this.df.getColumn(column)).rename(column))
    this.df = this.df.withColumns(...changed)
  }

  #reject(failures: readonly (Misfit & { column: string })[]): void {
    if (failures.length === 0) return
    const records = this.df.getColumn(originColumns.record).toArray() as number[]
    const lines = this.df.getColumn(originColumns.line).toArray() as (number | null)[]
    const rejects = failures.map(({ index, column, rule, message }) => ({
      record: records[index] ?? 0,
      line: lines[index] ?? undefined,
      column,
      rule,
      message,
    }))
    this.#onRejects(rejects.toSorted((a, b) => a.record - b.record))
    const bad = new Set(failures.map(({ index }) => index))
    this.#keep((row) => !bad.has(row))
  }

  #drop(isDropped: (row: number) => boolean): void {
    const before = this.df.height
    this.#keep((row) => !isDropped(row))
    this.#dropped += before - this.df.height
  }

  #keep(isKept: (row: number) => boolean): void {
    const mask = Array.from({ length: this.df.height }, (_, row) => isKept(row))
    if (mask.includes(false)) this.df = this.df.filter(this.pl.Series('kept', mask, this.pl.Bool))
  }

  #origin(name: string): Series {
    const count = this.df.height
    const values = Array.from({ length: count }, (_, row) => (name === originColumns.record ? row + 1 : null))
    return this.pl.Series(name, values, this.pl.Int64)
  }
}
