import type { InferInsertModel, Table } from 'drizzle-orm'
import { suggestion } from '@outrider/options'
import { checkOptions, type OptionChecks } from './check-options.ts'
import { InvalidOptionError } from './errors.ts'
import type { ColumnMeta, TableMeta } from './table-meta.ts'

/** What a call gives back: whole rows, primary keys, or only how many. */
export type Returning = 'ids' | 'none' | 'rows'

/** The properties of a table's rows that can be given. */
export type RowKey<T extends Table> = keyof InferInsertModel<T> & string

/** To update the row that has the same natural key, instead of creating one. */
export interface Upsert<TKey extends string = string> {
  /** The natural key: the properties of the primary key, of a unique constraint or of a complete unique index. */
  readonly target: TKey | readonly TKey[]
  /**
   * The properties to overwrite in a row that exists; of these, only those that a row gives. None with `[]`, which
   * keeps rows as they are and still gives their keys.
   * @default all that are given, without the natural key and the primary key
   */
  readonly update?: readonly TKey[]
}

/** What to do with a row that would violate a unique constraint. */
export type OnConflict<TKey extends string = string> = 'error' | 'ignore' | Upsert<TKey>

/** How far a call has come, told after each chunk. With `atomic: true` nothing of it is committed yet. */
export interface BulkProgress {
  /** SQL name of the table. */
  readonly table: string
  /** Which chunk of the table was written, from 0. */
  readonly chunk: number
  /** How many of the table's given rows are done. */
  readonly rows: number
}

/** Options of every call that writes in steps. */
export interface StepOptions<R extends Returning = Returning> {
  /** Rows in a chunk, an integer of 1 or more. A chunk takes one statement, or more at the database's limits. @default 1000 */
  readonly step?: number
  /**
   * Whether all is written or nothing: one transaction, or a savepoint inside the given one. With false each chunk
   * is committed on its own and stays when a later one fails. @default true
   */
  readonly atomic?: boolean
  /** What to give back. `'none'` needs the least memory and time. @default 'rows' */
  readonly returning?: R
  /** Looked at before each chunk; the call then rejects with its reason, and rolls back if atomic. */
  readonly signal?: AbortSignal
  /** Called after each chunk. An error it throws ends the call like a failing chunk. */
  readonly onProgress?: (progress: BulkProgress) => void
}

/** Options of `bulkCreateInSteps`. */
export interface BulkCreateOptions<
  T extends Table = Table,
  R extends Returning = Returning,
> extends StepOptions<R> {
  /** `'ignore'` skips rows that violate any unique constraint, and leaves them out of the result. @default 'error' */
  readonly onConflict?: OnConflict<RowKey<T>>
}

/** Options of `bulkCreateBulksInSteps`. */
export interface BulkCreateBulksOptions<R extends Returning = Returning> extends StepOptions<R> {
  /** By table, what to do with rows that exist already; other tables raise an error. @default [] */
  readonly onConflict?: Iterable<readonly [Table, 'error' | Upsert]>
}

/** The options of a call, complete. */
export interface ResolvedStepOptions {
  readonly step: number
  readonly atomic: boolean
  readonly returning: Returning
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: BulkProgress) => void) | undefined
}

/** What to do on a conflict, in terms of columns. */
export type ResolvedOnConflict =
  | 'error'
  | 'ignore'
  | { readonly target: readonly ColumnMeta[]; readonly update: readonly ColumnMeta[] }

const defaults: ResolvedStepOptions = {
  step: 1000,
  atomic: true,
  returning: 'rows',
  signal: undefined,
  onProgress: undefined,
}

const stepChecks: OptionChecks<StepOptions> = {
  step: {
    expected: 'an integer of 1 or more',
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
  },
  atomic: { expected: 'a boolean', accepts: (value) => typeof value === 'boolean' },
  returning: {
    expected: "'rows', 'ids' or 'none'",
    accepts: (value) => ['rows', 'ids', 'none'].includes(String(value)),
  },
  signal: { expected: 'an AbortSignal', accepts: (value) => value instanceof AbortSignal },
  onProgress: { expected: 'a function', accepts: (value) => typeof value === 'function' },
}

const isUpsert = (value: unknown) => typeof value === 'object' && value !== null && 'target' in value

const createChecks: OptionChecks<StepOptions & { readonly onConflict?: OnConflict }> = {
  ...stepChecks,
  onConflict: {
    expected: "'error', 'ignore' or { target, update }",
    accepts: (value) => value === 'error' || value === 'ignore' || isUpsert(value),
  },
}

const bulksChecks: OptionChecks<BulkCreateBulksOptions> = {
  ...stepChecks,
  onConflict: {
    expected: 'pairs of a table and its onConflict',
    accepts: (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
  },
}

const upsertChecks: OptionChecks<Upsert> = {
  target: {
    expected: 'the name of a column, or several',
    accepts: (value) => typeof value === 'string' || (isStrings(value) && value.length > 0),
  },
  update: { expected: 'names of columns', accepts: isStrings },
}

/** Fills in the defaults of `bulkCreateInSteps`. @throws {InvalidOptionError} naming what does not fit. */
export function resolveCreateOptions(
  options: StepOptions & { readonly onConflict?: OnConflict },
  table: TableMeta,
): ResolvedStepOptions & { readonly onConflict: ResolvedOnConflict } {
  checkOptions(options, createChecks)
  const { onConflict, ...rest } = options
  return { ...complete(rest), onConflict: resolveOnConflict(onConflict ?? 'error', table) }
}

/** The same for `bulkCreateBulksInSteps`, but for `onConflict`. */
export function resolveBulksOptions(options: BulkCreateBulksOptions): ResolvedStepOptions {
  checkOptions(options, bulksChecks)
  const { onConflict: _, ...rest } = options
  return complete(rest)
}

/** Finds the columns of an `onConflict`. @throws {InvalidOptionError} when they are unknown or no unique key. */
export function resolveOnConflict(onConflict: OnConflict, table: TableMeta): ResolvedOnConflict {
  if (onConflict === 'error' || onConflict === 'ignore') return onConflict
  checkOptions(onConflict, upsertChecks)
  const target = [onConflict.target].flat().map((key) => columnOf(table, key))
  const isTarget = (columns: readonly ColumnMeta[]) =>
    columns.length === target.length && columns.every((column) => target.includes(column))
  const isUnique = [table.primaryKey, ...table.uniques].some(isTarget)
  if (!isUnique || !target.every(({ isInsertable }) => isInsertable)) {
    const names = target.map(({ key }) => key).join(', ')
    throw new InvalidOptionError(
      `Expected target to be a unique key of ${table.name} that can be given, got ${names}`,
    )
  }
  const update =
    onConflict.update?.map((key) => columnOf(table, key)) ??
    table.columns.filter((column) => ![...target, ...table.primaryKey].includes(column))
  return { target, update: update.filter(({ isInsertable }) => isInsertable) }
}

function columnOf(table: TableMeta, key: string): ColumnMeta {
  const column = table.columns.find((each) => each.key === key)
  if (column) return column
  const keys = table.columns.map((each) => each.key)
  throw new InvalidOptionError(
    `Unknown column of ${table.name} ${JSON.stringify(key)}${suggestion(key, keys)}`,
  )
}

function complete(options: StepOptions): ResolvedStepOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(given) }
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}
