/**
 * Messages between the threads. SQL text crosses once per statement; operations follow as flat lists and are answered
 * in order, so that no operation carries an id, and no object is cloned for one.
 */

/** A value as it crosses between the threads and as SQLite stores it. */
export type StoredValue = null | number | bigint | string | Uint8Array

/** Parameters of one statement: positional, named, or several positional sets that run all or nothing. */
export type WireParams = StoredValue[] | Record<string, StoredValue> | StoredValue[][] | undefined

/** How integers beyond 2^53 - 1 are read. */
export type Int64Mode = 'strict' | 'number' | 'bigint'

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
  /** A script of several statements, all or nothing. */
  script: -9,
  /** Several statements, all or nothing: a list of statement id and parameters in turn. */
  batch: -10,
  /** A procedure: its file, name and arguments. */
  call: -11,
  /** An operation that was given up before it was sent. */
  nothing: -12,
} as const

export type Control = (typeof Control)[keyof typeof Control]

/** What follows an operation in `values`: a count of positional parameters, or one value of this shape. */
export const Shape = { named: -1, sets: -2, payload: -3 } as const

/** Numbers by index. Short lists are plain arrays, which cross faster; long ones are typed. */
export type Numbers = number[] | Int32Array | Float64Array

const MAX_PLAIN = 32

/** Zeros, to be filled in with integers of 32 bits. */
export function integers(length: number): Numbers {
  return length > MAX_PLAIN ? new Int32Array(length) : Array.from<number>({ length }).fill(0)
}

/** Zeros, to be filled in. */
export function doubles(length: number): Numbers {
  return length > MAX_PLAIN ? new Float64Array(length) : Array.from<number>({ length }).fill(0)
}

/** To a thread. A message to the writer holds either operations of the transaction that has it, or none of them. */
export interface BatchMessage {
  readonly type: 'batch'
  readonly leased: boolean
  /** Whether rows leave in chunks from the first one on. */
  readonly streamed: boolean
  /** Whether every operation is to be timed. */
  readonly timed: boolean
  /** Triples of a statement id, its SQL text and its {@link Int64Mode}, for statements used for the first time. */
  readonly define: (number | string)[]
  /** Ids that will not be used after this batch. */
  readonly forget: number[]
  /** Pairs of a statement id or {@link Control} code, and a number of parameters or {@link Shape}. */
  readonly operations: Numbers
  readonly values: unknown[]
}

/** Names the module whose functions may be called from the next batch on. */
interface LoadMessage {
  readonly type: 'load'
  readonly file: string
}

interface BackupMessage {
  readonly type: 'backup'
  readonly path: string
}

interface CloseMessage {
  readonly type: 'close'
}

export type ToWorker = BatchMessage | LoadMessage | BackupMessage | CloseMessage

/**
 * What the sparse part of a reply holds after an operation's index:
 * - `rows`, columns, number of rows, values: of a statement that reads;
 * - `failure`, {@link FailurePayload};
 * - `write`, changes, lastInsertRowid, columns, number of rows or -1 without RETURNING, values;
 * - `value`, `{ value }`: what a procedure returned; `{ batch }`: the outcomes of a batch, each as an object.
 *
 * Columns are left out (null) when they are those that this statement sent last.
 */
export const Outcome = { rows: 0, failure: 1, write: 2, value: 3 } as const

export interface RowsPayload {
  /** Null when they are those that the statement sent last. */
  readonly columns: readonly string[] | null
  readonly count: number
  /** Row after row. */
  readonly values: StoredValue[]
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
    | 'procedure'
    | 'aborted'
    | 'open'
  readonly message: string
  readonly sqliteCode: string | undefined
  /** Which statement of a batch failed. */
  readonly step?: number
  /** What a procedure threw, where it can be cloned. */
  readonly cause?: unknown
}

/** From a thread: outcomes of the next operations of the oldest batch, in order. */
export interface ReplyMessage {
  readonly type: 'reply'
  /** Whether the batch is done. */
  readonly isLast: boolean
  /** How many operations are answered here. */
  readonly count: number
  /** Pairs of changed rows and last rowid, for plain writes. */
  readonly writes: Numbers
  /** See {@link Outcome}; indexes count from the first operation of the batch. */
  readonly others: unknown[]
  /** How many operations shared each transaction. */
  readonly groups: number[]
  /** Pairs of operation index and milliseconds, for operations that were slow or to be timed. */
  readonly times: number[]
}

/** From a thread: some rows of a large result, ahead of its outcome, which brings the rest. */
export interface ChunkMessage extends RowsPayload {
  readonly type: 'chunk'
  /** Which operation of the oldest batch they belong to. */
  readonly index: number
}

/** From a thread whose connection is open. */
interface ReadyMessage {
  readonly type: 'ready'
  /** Whether other connections may read the file while this one writes. */
  readonly wal: boolean
}

/** From a thread when the database could not be opened; nothing follows. */
interface OpenFailedMessage {
  readonly type: 'open-failed'
  readonly failure: FailurePayload
}

/** From a thread that copies its database; the last one has no pages remaining, or says why it failed. */
export interface BackupProgressMessage {
  readonly type: 'backup'
  readonly totalPages: number
  readonly remainingPages: number
  readonly isDone: boolean
  readonly failure?: FailurePayload
}

export type FromWorker =
  | ReplyMessage
  | ChunkMessage
  | ReadyMessage
  | OpenFailedMessage
  | BackupProgressMessage

/** `workerData` of a thread. */
export interface ThreadConfig {
  readonly file: string
  readonly readonly: boolean
  readonly synchronous: string
  readonly busyTimeoutMs: number
  readonly maxCount: number
  readonly executeInit: readonly string[]
  /** Operations that take longer are reported. */
  readonly slowMs: number
  /** Shared memory of {@link Shared}. */
  readonly shared: SharedArrayBuffer
  /** Whether the thread may look for messages where it could sleep. */
  readonly maySpin: boolean
}

/** Layout of the memory that both threads see, in 32-bit integers. */
export const Shared = {
  /** How many chunks the receiver has taken so far. */
  chunksTaken: 0,
  /** One bit per operation that was given up: 16 integers for batches with an even number, then 16 for odd ones. */
  abortedBits: 1,
  /** How many messages were sent to the thread so far. */
  messagesSent: 33,
  /** 1 once the thread is to end as soon as it can. */
  stop: 34,
  length: 35,
} as const

/** How long a thread looks for a message before it sleeps, where they follow each other within {@link SOON_MS}. */
export const SPIN_MS = 0.3
/** Longer than it takes to run a short statement and wake both threads. */
export const SOON_MS = 0.6

/** The most operations of a message; {@link Shared} has a bit for each. */
export const MAX_OPERATIONS = 512
