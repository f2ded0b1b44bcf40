/**
 * Messages between the two threads. SQL text crosses once per statement; operations follow as a flat list of
 * pairs and are answered in order, so that no operation carries an id.
 */

/** A value as it crosses between the threads and as SQLite stores it. */
export type StoredValue = null | number | bigint | string | Uint8Array

/** Parameters of one operation: positional, named, or several positional sets that run all or nothing. */
export type WireParams = StoredValue[] | Record<string, StoredValue> | StoredValue[][] | undefined

/** Operations that are no statement of the caller: they stand in the place of a statement id. */
export const Control = {
  beginDeferred: -1,
  beginImmediate: -2,
  beginExclusive: -3,
  commit: -4,
  rollback: -5,
  savepoint: -6,
  release: -7,
  rollbackTo: -8,
} as const

export type Control = (typeof Control)[keyof typeof Control]

/** To the worker. A message holds either operations of the transaction that holds the writer, or none of them. */
export interface BatchMessage {
  readonly type: 'batch'
  readonly leased: boolean
  /** Pairs of a statement id and its SQL text, for statements used for the first time. */
  readonly define: (number | string)[]
  /** Ids that will not be used after this batch. */
  readonly forget: number[]
  /** Pairs of a statement id or {@link Control} code and its parameters. */
  readonly operations: (number | WireParams)[]
}

interface CloseMessage {
  readonly type: 'close'
}

export type ToWorker = BatchMessage | CloseMessage

/** What the sparse part of a reply holds for one operation. */
export const Outcome = { rows: 0, failure: 1, write: 2 } as const

export interface RowsPayload {
  readonly columns: readonly string[]
  readonly rows: StoredValue[][]
}

export interface WritePayload {
  readonly changes: number
  readonly lastInsertRowid: number | bigint
  /** Rows of a RETURNING clause. */
  readonly returned: RowsPayload | undefined
}

/** An error on its way to the caller; `kind` picks the class on the other side. */
export interface FailurePayload {
  readonly kind:
    | 'sqlite'
    | 'argument'
    | 'parameters'
    | 'integer-range'
    | 'transaction-control'
    | 'transaction-gone'
    | 'open'
  readonly message: string
  readonly sqliteCode: string | undefined
}

/** From the worker: one per batch, in order. */
export interface ReplyMessage {
  readonly type: 'reply'
  /** Pairs of changed rows and last rowid, for plain writes. */
  readonly writes: Float64Array
  /** Triples of operation index, {@link Outcome} and its payload, for all others. */
  readonly others: (number | RowsPayload | FailurePayload | WritePayload)[]
}

/** From the worker when the database could not be opened; nothing follows. */
interface OpenFailedMessage {
  readonly type: 'open-failed'
  readonly failure: FailurePayload
}

export type FromWorker = ReplyMessage | OpenFailedMessage

/** `workerData` of the writer thread. */
export interface WriterConfig {
  readonly file: string
  readonly synchronous: string
  readonly busyTimeoutMs: number
  readonly maxCount: number
  readonly executeInit: readonly string[]
}
