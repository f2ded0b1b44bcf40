import type { ResolvedOnConflict } from './options.ts'
import type { Steps } from './steps.ts'
import type { ColumnMeta, TableMeta } from './table-meta.ts'

/** A row by the properties of the table's columns. */
export type Row = Record<string, unknown>

/** What happened to rows. A row counts once, also when it was given several times in one chunk. */
export interface BulkCounts {
  /** Rows that did not exist. */
  created: number
  /** Rows that existed, with other values. */
  updated: number
  /** Rows that existed with these values, or were skipped by `'ignore'`; nothing was written to them. */
  unchanged: number
}

/** Rows to write at once. */
export interface Batch {
  readonly table: TableMeta
  readonly rows: readonly Row[]
  /** The columns that the written rows are to have; none when nobody wants them. */
  readonly wanted: readonly ColumnMeta[]
}

/** Rows that were written. */
export interface Written {
  /** In the order of the batch; without the rows that were skipped. */
  readonly rows: Row[]
  readonly counts: BulkCounts
}

/** An upsert in terms of columns. */
export type ResolvedUpsert = Exclude<ResolvedOnConflict, string>

/** How one kind of driver writes rows. */
export interface Executor {
  readonly canTransact: boolean
  readonly isSynchronous: boolean
  /** Runs the body all or nothing: in a transaction, or in a savepoint when one is open. */
  transaction<T>(body: (inside: Executor) => Steps<T>): T | Promise<T>
  /** Creates rows; skips those in conflict if told so. */
  insert(batch: Batch, onConflict: 'error' | 'ignore'): Steps<Written>
  /** Creates or updates rows. No two of them have the same natural key, and each gives all of it. */
  upsert(batch: Batch, upsert: ResolvedUpsert): Steps<Written>
}
